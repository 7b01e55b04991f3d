"""Hunts over a store's own tables: nothing is copied, and nothing else is in reach.

The connection given is one whose configuration is locked and whose only files are the store's
(``Database``). The hunt gets views of its own, named as its tables, over the rows the caller may
see; the SQL comes from ``driftline.kql``, which knows no other names. What the caller may not see is
said at the name of the table.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import duckdb
import msgspec
import pyarrow as pa

from driftline import errors, kql
from driftline.events import TABLES
from driftline.kql.rewrite import Bounds
from driftline.store import results
from driftline.store.limits import Limits, OnHunt, Stop, audited, run
from driftline.store.views import CLUSTER, EPOCH, Stored, Wanted, kept_parts, view

__all__ = ["Ask", "Explained", "Reading", "explain", "explained", "hunt", "tables_of"]

COLUMNS = {name: {column.name: column.type for column in table.columns} for name, table in TABLES.items()}


class Ask(msgspec.Struct, frozen=True, kw_only=True, tag="hunt"):
    """A hunt as it crosses to the store's process.

    ``clusters`` are those whose rows the caller may see, None for all. ``after`` (microseconds
    since 1970, UTC) leaves out older rows of every table. ``parameters`` are values, as text, for
    ``declare query_parameters``. With ``explain`` it is told how the hunt would run.
    """

    text: str
    clusters: tuple[str, ...] | None = None
    after: int | None = None
    parameters: Mapping[str, str] = {}
    seconds: float = 60.0
    rows: int = 1_000_000
    explain: bool = False


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a hunt reads of a table: so many of its files, between times (ISO 8601, "" for open)."""

    table: str
    files: int
    of: int
    first: str = ""
    last: str = ""


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """How a hunt runs: what it means after all rewrites, the SQL, the engine's plan, what is read."""

    meaning: str
    sql: str
    engine: str
    readings: tuple[Reading, ...]


def hunt(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, Stored],
    ask: Ask,
    *,
    stop: Stop | None = None,
    on_hunt: OnHunt | None = None,
) -> pa.Table:
    """Run a hunt on a connection of its own over tables that lie where ``tables`` says.

    Gives rows as ``hunting.hunt`` does. Raises ``InvalidQuery`` for what the query says wrong or
    may not read, and ``StoreError`` when a limit is reached.
    """
    with audited(ask.text, on_hunt, ask.clusters) as told:
        translation = _translated(tables, ask)
        told.tables = translation.tables
        _make_views(connection, tables, translation, ask)
        rows = run(connection, translation.sql, Limits(seconds=ask.seconds, rows=ask.rows), stop)
        told.rows = rows.num_rows
        return results.typed(rows, translation.columns)


def explain(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Stored], ask: Ask) -> Explained:
    """Tell how a hunt would run; raises as ``hunt`` does."""
    translation = _translated(tables, ask)
    _make_views(connection, tables, translation, ask)
    plan = run(connection, f"EXPLAIN {translation.sql}", Limits(seconds=ask.seconds))
    readings = tuple(_reading(name, tables[name], _bounds(translation, name, ask)) for name in translation.tables)
    return explained(translation, plan, readings)


def explained(translation: kql.Translation, plan: pa.Table, readings: tuple[Reading, ...]) -> Explained:
    """Put together what is told of a hunt; ``plan`` is DuckDB's answer to EXPLAIN."""
    engine = "\n".join(str(text) for text in plan.column(plan.num_columns - 1).to_pylist())
    return Explained(meaning=kql.outline(translation), sql=translation.sql, engine=engine, readings=readings)


def tables_of(ask: Ask) -> tuple[str, ...]:
    """Give the tables a hunt reads; raises ``InvalidQuery``."""
    return _translated(dict.fromkeys(TABLES, Stored("")), ask).tables


def _translated(tables: Mapping[str, Stored], ask: Ask) -> kql.Translation:
    refused = _refused(tables, ask)
    schema = {name: COLUMNS[name] for name in tables if name not in refused}
    now = datetime.datetime.now(datetime.UTC)
    return kql.compiled(ask.text, schema, now=now, parameters=ask.parameters, refused=refused, bounded=True)


# A grant of clusters says nothing of rows that name none.
def _refused(tables: Mapping[str, Stored], ask: Ask) -> dict[str, str]:
    if ask.clusters is None:
        return {}
    why = f"it has no {CLUSTER}, and you may see single clusters only"
    return {name: why for name in tables if CLUSTER not in COLUMNS[name]}


def _make_views(
    connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Stored], translation: kql.Translation, ask: Ask
) -> None:
    try:
        for name in translation.tables:
            wanted = Wanted(_bounds(translation, name, ask), ask.clusters)
            connection.execute(view(name, COLUMNS[name], tables[name], wanted))
    except duckdb.Error as error:
        raise errors.StoreError(f"the store's tables could not be read: {error}") from error


def _bounds(translation: kql.Translation, name: str, ask: Ask) -> Bounds:
    return translation.bounds[name].within(Bounds(ask.after))


def _reading(name: str, stored: Stored, bounds: Bounds) -> Reading:
    inside, edge = kept_parts(stored, bounds)
    first, last = _iso(bounds.first), _iso(bounds.last)
    return Reading(table=name, files=len(inside) + len(edge), of=len(stored.parts), first=first, last=last)


def _iso(microseconds: int | None) -> str:
    if microseconds is None:
        return ""
    return (EPOCH + datetime.timedelta(microseconds=microseconds)).isoformat()
