"""Hunts over a store's own tables: nothing is copied, and nothing else can be read.

``Database`` passes a connection whose configuration is locked and that may read the store's files
only. The hunt gets temporary views, named as its tables, over the rows that the caller may see. Its
SQL comes from ``driftline.kql``, which knows no other names. A table that the caller may not read is
a problem at its name in the query.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

import duckdb
import msgspec
import pyarrow as pa

from driftline import errors
from driftline.clock import EPOCH
from driftline.events import TABLES
from driftline.hunts.schema import SCHEMA
from driftline.kql.rewrite import Bounds, Reach
from driftline.store.query import results
from driftline.store.query import translation as translations
from driftline.store.query.file_pruning import prune_files
from driftline.store.query.limits import Limits, OnHunt, Stop, audit, run
from driftline.store.query.sandbox import run_sandboxed
from driftline.store.query.snapshot_rows import snapshot_rows
from driftline.store.query.translation import CompiledHunt, Rows, Task
from driftline.store.query.translators import Translators
from driftline.store.query.views import (
    ALERT_TABLES,
    CLUSTER,
    CLUSTER_COLUMNS,
    RowScope,
    TableSource,
    view_statement,
)

__all__ = ["Explanation", "Hunt", "TableScan", "explain", "explanation", "hunt", "tables_of"]


class Hunt(msgspec.Struct, frozen=True, kw_only=True, tag="hunt"):
    """A request to run a hunt over a store.

    The sender decides which clusters the caller may see. The store's process refuses values beyond
    the bounds given here.
    """

    text: str
    """The query in KQL."""
    clusters: tuple[str, ...] | None = None
    """Clusters whose rows the caller may see; None for all, empty for none."""
    after: int | None = None
    """Microseconds since 1970 (UTC): rows of every table with an older ``Timestamp`` are left out; None for all."""
    parameters: Mapping[str, str] = {}
    """Values, as text, for ``declare query_parameters``."""
    seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 60.0
    """Time in seconds after which the hunt is stopped."""
    rows: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 1_000_000
    """An answer of more rows is an error."""
    size: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 512
    """An answer of more MiB is an error."""
    take: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] | None = None
    """Rows after the first ``take`` are left out, and the answer's metadata has ``results.TRUNCATED``; None for all."""
    explain: bool = False
    """Explain how the hunt would run instead of running it."""


class TableScan(msgspec.Struct, frozen=True, kw_only=True):
    """The files of one table that a hunt reads."""

    table: str
    files: int
    """Number of files that it reads."""
    of: int
    """Number of files that the table has."""
    partly: int = 0
    """Number of files of which it reads only the row groups that may have the terms it looks for."""
    first: str = ""
    """Earliest time that it reads, ISO 8601 in UTC; empty if unbounded."""
    last: str = ""
    """Latest time that it reads, ISO 8601 in UTC; empty if unbounded."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A description of how a hunt runs."""

    meaning: str
    """The query's plan after all rewrites."""
    sql: str
    """The SQL that the engine gets."""
    engine: str
    """The engine's own plan: DuckDB's answer to EXPLAIN."""
    readings: tuple[TableScan, ...]
    """Files that the hunt reads, by table."""


def hunt(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, TableSource],
    request: Hunt,
    *,
    stop: Stop | None = None,
    on_hunt: OnHunt | None = None,
    translators: Translators | None = None,
) -> pa.Table:
    """Run a hunt over the sources of a store's tables, by name.

    The connection must be the hunt's own, for its temporary views are made there. ``translators`` translate it in a
    process that can be killed; without them, this process translates it. Returns rows as
    ``hunt_tables.hunt`` does. Raises ``InvalidQuery`` for mistakes in the query and tables that the
    caller may not read, and ``StoreError`` when a limit is reached or the hunt is stopped.
    """
    with audit(request.text, on_hunt, request.clusters) as outcome:
        running = _Run(connection, tables, request, stop or Stop(), translators)
        translation = running.translate()
        outcome.tables = translation.tables
        rows = running.answer(translation, take=request.take)
        kept = rows if request.take is None else rows.slice(0, request.take)
        outcome.rows = kept.num_rows
        answer = results.to_kusto_types(kept, translation.columns)
        return answer.replace_schema_metadata({results.TRUNCATED: b"true"}) if len(rows) > len(kept) else answer


def explain(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, TableSource],
    request: Hunt,
    *,
    translators: Translators | None = None,
) -> Explanation:
    """Explain how a hunt would run, without running it; raises as ``hunt`` does.

    Columns that depend on the data (``evaluate pivot``) are looked up in the data all the same.
    """
    running = _Run(connection, tables, request, Stop(), translators)
    translation = running.translate()
    plan = running.plan(translation)
    reach = running.within_request(translation.reach)
    scans = (_table_scan(name, tables[name], each) for name, each in reach.items())
    return explanation(translation.outline, translation.sql, plan, tuple(scans))


def explanation(outline: str, sql: str, plan: pa.Table, scans: tuple[TableScan, ...]) -> Explanation:
    """Put an explanation together; ``plan`` is DuckDB's answer to EXPLAIN, whose last column is text."""
    engine = "\n".join(str(text) for text in plan.column(plan.num_columns - 1).to_pylist())
    return Explanation(meaning=outline, sql=sql, engine=engine, readings=scans)


def tables_of(request: Hunt) -> tuple[str, ...]:
    """Return the names of the hunting tables that a hunt reads; raises ``InvalidQuery``.

    No store is needed: a table whose columns depend on data counts as empty.
    """
    return translations.translate(_task(TABLES, request), lambda _: []).tables


# One hunt may run several statements: a query whose columns depend on the data (``evaluate pivot``) first looks
# those up. All statements share the connection, the caller's rights and the hunt's time.
@dataclass(slots=True)
class _Run:
    connection: duckdb.DuckDBPyConnection
    tables: Mapping[str, TableSource]
    request: Hunt
    stop: Stop
    translators: Translators | None
    deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.request.seconds

    def translate(self) -> CompiledHunt:
        task = _task(self.tables, self.request)
        if self.translators is None:
            return translations.translate(task, self._rows)
        return self.translators.translate(task, self._rows, limits=self._limits(), stop=self.stop)

    def _rows(self, lookup: CompiledHunt) -> Rows:
        return results.row_tuples(self.answer(lookup))

    def _limits(self, take: int | None = None) -> Limits:
        request, remaining = self.request, max(self.deadline - time.monotonic(), 0)
        return Limits(seconds=request.seconds, remaining=remaining, rows=request.rows, size=request.size, take=take)

    # Values that may grow are computed in the sandbox process. It cannot read the newest rows, which only the
    # process with the database file open can, so a copy of those goes along.
    def answer(self, translation: CompiledHunt, *, take: int | None = None) -> pa.Table:
        limits = self._limits(take)
        if translation.grows:
            with _store_errors():
                environment = snapshot_rows(self.connection, self.tables, translation.stored, self._scopes(translation))
            return run_sandboxed(environment, translation.sql, limits, self.stop)
        self._make_views(translation)
        return run(self.connection, translation.sql, limits, self.stop)

    def plan(self, translation: CompiledHunt) -> pa.Table:
        self._make_views(translation)
        limits = Limits(seconds=self.request.seconds)
        return run(self.connection, f"EXPLAIN {translation.sql}", limits, self.stop)

    def _make_views(self, translation: CompiledHunt) -> None:
        with _store_errors():
            for name, scope in self._scopes(translation).items():
                self.connection.execute(view_statement(name, SCHEMA[name], self.tables, scope))

    def _scopes(self, translation: CompiledHunt) -> dict[str, RowScope]:
        reach = self.within_request(translation.reach)
        return {name: RowScope(each, self.request.clusters) for name, each in reach.items()}

    def within_request(self, reach: Mapping[str, Reach]) -> Mapping[str, Reach]:
        after = Bounds(self.request.after)
        return {name: Reach(each.bounds.within(after), each.need) for name, each in sorted(reach.items())}


@contextlib.contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise errors.StoreError(f"the store's tables could not be read: {error}") from error


def _task(tables: Collection[str], request: Hunt) -> Task:
    refused = _refused_tables(tables, request)
    readable = tuple(name for name in tables if name not in refused)
    return Task(request.text, readable, refused, request.parameters, datetime.datetime.now(datetime.UTC))


# Rights are granted by cluster. A table whose rows name no cluster holds rows of all of them, so it is refused to a
# caller who may see only some.
def _refused_tables(tables: Collection[str], request: Hunt) -> dict[str, str]:
    if request.clusters is None:
        return {}
    reason = f"it has no {CLUSTER}, and you may see single clusters only"
    return {name: reason for name in tables if not _names_clusters(name)}


def _names_clusters(name: str) -> bool:
    return name in ALERT_TABLES or CLUSTER_COLUMNS.get(name, CLUSTER) in SCHEMA[name]


def _table_scan(name: str, source: TableSource, reach: Reach) -> TableScan:
    files = prune_files(source.files, reach)
    partly = sum(file.rows is not None for file in files)
    first, last = _iso(reach.bounds.first), _iso(reach.bounds.last)
    return TableScan(table=name, files=len(files), of=len(source.files), partly=partly, first=first, last=last)


def _iso(microseconds: int | None) -> str:
    if microseconds is None:
        return ""
    return (EPOCH + datetime.timedelta(microseconds=microseconds)).isoformat()
