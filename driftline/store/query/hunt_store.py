"""Hunts over a store's own tables: nothing is copied, and nothing else is in reach.

The connection given is one whose configuration is locked and whose only files are the store's
(``Database``). The hunt gets views of its own, named as its tables, over the rows the caller may
see; the SQL comes from ``driftline.kql``, which knows no other names. What the caller may not see is
said at the name of the table.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

import duckdb
import msgspec
import pyarrow as pa

from driftline import errors, kql
from driftline.events import TABLES
from driftline.kql.rewrite import Bounds, Reach
from driftline.store.query import results
from driftline.store.query.file_pruning import prune_files
from driftline.store.query.limits import Limits, OnHunt, Stop, audit, run
from driftline.store.query.sandbox import run_sandboxed
from driftline.store.query.snapshot_rows import COLUMNS, snapshot_rows
from driftline.store.query.views import (
    ALERT_TABLES,
    CLUSTER,
    CLUSTER_COLUMNS,
    EPOCH,
    RowScope,
    TableSource,
    view_statement,
)

__all__ = ["Explanation", "Hunt", "TableScan", "explain", "explanation", "hunt", "tables_of"]


class Hunt(msgspec.Struct, frozen=True, kw_only=True, tag="hunt"):
    """A hunt as it crosses to the store's process.

    ``clusters`` are those whose rows the caller may see, None for all. ``after`` (microseconds
    since 1970, UTC) leaves out older rows of every table. ``parameters`` are values, as text, for
    ``declare query_parameters``. With ``explain`` it is told how the hunt would run.

    It may take ``seconds``; an answer of more than ``rows``, or ``size`` (MiB), is an error. Rows
    after the first ``take`` are left out, and the answer's metadata says so
    (``results.TRUNCATED``). Who serves a store refuses what asks for more than is written here.
    """

    text: str
    clusters: tuple[str, ...] | None = None
    after: int | None = None
    parameters: Mapping[str, str] = {}
    seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 60.0
    rows: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 1_000_000
    size: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 512
    take: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] | None = None
    explain: bool = False


class TableScan(msgspec.Struct, frozen=True, kw_only=True):
    """What a hunt reads of a table: so many of its files, between times (ISO 8601, "" for open).

    Of ``partly`` files it reads only row groups that may have the terms it looks for.
    """

    table: str
    files: int
    of: int
    partly: int = 0
    first: str = ""
    last: str = ""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """How a hunt runs: what it means after all rewrites, the SQL, the engine's plan, what is read."""

    meaning: str
    sql: str
    engine: str
    readings: tuple[TableScan, ...]


def hunt(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, TableSource],
    request: Hunt,
    *,
    stop: Stop | None = None,
    on_hunt: OnHunt | None = None,
) -> pa.Table:
    """Run a hunt on a connection of its own over tables that lie where ``tables`` says.

    Gives rows as ``hunt_tables.hunt`` does. Raises ``InvalidQuery`` for what the query says wrong or
    may not read, and ``StoreError`` when a limit is reached.
    """
    with audit(request.text, on_hunt, request.clusters) as told:
        running = _Run(connection, tables, request, stop or Stop())
        translation = running.translated()
        told.tables = translation.tables
        rows = running.answered(translation, take=request.take)
        shown = rows if request.take is None else rows.slice(0, request.take)
        told.rows = shown.num_rows
        answer = results.to_kusto_types(shown, translation.columns)
        return answer.replace_schema_metadata({results.TRUNCATED: b"true"}) if len(rows) > len(shown) else answer


def explain(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, TableSource], request: Hunt) -> Explanation:
    """Tell how a hunt would run; raises as ``hunt`` does."""
    running = _Run(connection, tables, request, Stop())
    translation = running.translated()
    plan = running.plan(translation)
    readings = (_table_scan(name, tables[name], reach) for name, reach in running.within(translation.reach).items())
    return explanation(translation, plan, tuple(readings))


def explanation(translation: kql.Translation, plan: pa.Table, readings: tuple[TableScan, ...]) -> Explanation:
    """Put together what is told of a hunt; ``plan`` is DuckDB's answer to EXPLAIN."""
    engine = "\n".join(str(text) for text in plan.column(plan.num_columns - 1).to_pylist())
    return Explanation(meaning=kql.outline(translation), sql=translation.sql, engine=engine, readings=readings)


def tables_of(request: Hunt) -> tuple[str, ...]:
    """Give the tables a hunt reads; raises ``InvalidQuery``."""
    return _translated(dict.fromkeys(TABLES, TableSource("")), request, lambda *_: []).tables


# What a hunt's parts share: one that asks the data for its columns runs more than one query, all
# of which have the hunt's time together.
@dataclass(slots=True)
class _Run:
    connection: duckdb.DuckDBPyConnection
    tables: Mapping[str, TableSource]
    request: Hunt
    stop: Stop
    deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.request.seconds

    def translated(self) -> kql.Translation:
        return _translated(self.tables, self.request, lambda asked: results.row_tuples(self.answered(asked)))

    def answered(self, asked: kql.Translation, *, take: int | None = None) -> pa.Table:
        request, remaining = self.request, max(self.deadline - time.monotonic(), 0)
        limits = Limits(seconds=request.seconds, remaining=remaining, rows=request.rows, size=request.size, take=take)
        if asked.grows:
            with _readable():
                environment = snapshot_rows(self.connection, self.tables, asked.plan, self._wanted(asked))
            return run_sandboxed(environment, asked.sql, limits, self.stop)
        self._set(asked)
        return run(self.connection, asked.sql, limits, self.stop)

    def plan(self, asked: kql.Translation) -> pa.Table:
        self._set(asked)
        return run(self.connection, f"EXPLAIN {asked.sql}", Limits(seconds=self.request.seconds), self.stop)

    def _set(self, asked: kql.Translation) -> None:
        with _readable():
            for name, wanted in self._wanted(asked).items():
                self.connection.execute(view_statement(name, COLUMNS[name], self.tables, wanted))

    def _wanted(self, asked: kql.Translation) -> dict[str, RowScope]:
        return {name: RowScope(reach, self.request.clusters) for name, reach in self.within(asked.reach).items()}

    def within(self, reach: Mapping[str, Reach]) -> Mapping[str, Reach]:
        after = Bounds(self.request.after)
        return {name: Reach(each.bounds.within(after), each.need) for name, each in sorted(reach.items())}


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise errors.StoreError(f"the store's tables could not be read: {error}") from error


def _translated(tables: Mapping[str, TableSource], request: Hunt, discover: kql.Discover) -> kql.Translation:
    refused = _refused(tables, request)
    schema = {name: COLUMNS[name] for name in tables if name not in refused}
    return kql.compiled(
        request.text,
        schema,
        now=datetime.datetime.now(datetime.UTC),
        parameters=request.parameters,
        refused=refused,
        bounded=True,
        discover=discover,
    )


# A grant of clusters says nothing of rows that name none.
def _refused(tables: Mapping[str, TableSource], request: Hunt) -> dict[str, str]:
    if request.clusters is None:
        return {}
    why = f"it has no {CLUSTER}, and you may see single clusters only"
    return {name: why for name in tables if not _names_clusters(name)}


def _names_clusters(name: str) -> bool:
    return name in ALERT_TABLES or CLUSTER_COLUMNS.get(name, CLUSTER) in COLUMNS[name]


def _table_scan(name: str, stored: TableSource, reach: Reach) -> TableScan:
    files = prune_files(stored.files, reach)
    partly = sum(file.rows is not None for file in files)
    first, last = _iso(reach.bounds.first), _iso(reach.bounds.last)
    return TableScan(table=name, files=len(files), of=len(stored.files), partly=partly, first=first, last=last)


def _iso(microseconds: int | None) -> str:
    if microseconds is None:
        return ""
    return (EPOCH + datetime.timedelta(microseconds=microseconds)).isoformat()
