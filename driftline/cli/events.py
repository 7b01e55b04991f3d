"""``driftline events``: rows of the hunting tables in a local store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

from cyclopts import App, Parameter
from rich.table import Table

from driftline.cli._shared import completers, store_rows
from driftline.cli._shared.options import (
    DEFAULT_STORE,
    Content,
    Follow,
    Limit,
    RowOutput,
    Since,
    Store,
    Until,
    WorkloadFilter,
)
from driftline.cli._shared.store_rows import Row
from driftline.cli._shared.tables import print_table
from driftline.errors import InvalidInput
from driftline.events import TABLES
from driftline.printable import escape_unprintable
from driftline.store.process.reader import open_reader
from driftline.store.query.row_query import Filter, RowQuery

app = App(name="events")

# The columns that the format "table" shows; the other formats have all columns.
_TABLE_COLUMNS = {
    "CloudProcessEvents": (
        "Timestamp", "ActionType", "KubernetesNamespace", "KubernetesPodName", "ContainerName", "FolderPath",
        "FileName", "Drift", "DriftContent", "ProcessCommandLine",
    ),
    "AlertInfo": ("Timestamp", "Severity", "Title", "AlertId"),
    "AlertEvidence": ("Timestamp", "AlertId", "EntityType", "EvidenceRole", "FileName", "ProcessCommandLine"),
    "SensorHealth": ("Timestamp", "NodeName", "ActionType", "Reason", "Count", "ContainerId"),
}  # fmt: skip


@app.default
def events(
    *,
    table: Annotated[str, Parameter(completer=completers.tables)] = "CloudProcessEvents",
    store: Store = DEFAULT_STORE,
    output: RowOutput = "table",
    since: Since = "",
    until: Until = "",
    workload: WorkloadFilter | None = None,
    drift: str = "",
    content: Content = "",
    action_type: str = "",
    limit: Limit = 100,
    follow: Follow = False,
) -> None:
    """Show rows of a hunting table in ascending order of time.

    Parameters
    ----------
    table
        Name of the hunting table: CloudProcessEvents, AlertInfo, AlertEvidence or SensorHealth.
    drift
        Show only rows with this drift verdict: yes, no or unknown. Default: all.
    action_type
        Show only rows with this ActionType, such as ProcessCreated, ProcessEnded, LibraryLoaded, ScriptRead or
        EventsLost. Default: all.
    """
    if table not in TABLES:
        raise InvalidInput(f"--table: expected one of {', '.join(TABLES)}, got {table!r}")
    columns = (workload or WorkloadFilter()).columns()
    columns |= {"Drift": drift, "DriftContent": content, "ActionType": action_type}
    where = [Filter(column, "=", value) for column, value in columns.items() if value]
    query = RowQuery(table=table, where=[*store_rows.time_filters(since, until), *where], limit=limit)
    with open_reader(store) as reader:
        if follow:
            streamed = store_rows.streaming_format(output)
            store_rows.follow(reader, query, _key, lambda rows: _print(rows, table, streamed))
        else:
            _print(reversed(reader.select(query).to_pylist()), table, output)


# The tables have no key column: a row is known by all its values.
def _key(row: Row) -> object:
    return tuple(str(value) for value in row.values())


def _print(rows: Iterable[Row], table: str, output: store_rows.Format) -> None:
    store_rows.print_rows(_decoded(rows, table), output, lambda found: _print_table(found, table))


def _decoded(rows: Iterable[Row], table: str) -> Iterator[Row]:
    dynamic = [column.name for column in TABLES[table].columns if column.type == "dynamic"]
    return store_rows.decode_dynamic(rows, dynamic)


def _print_table(rows: Sequence[Row], table: str) -> None:
    shown = Table(box=None, header_style="dim")
    for name in _TABLE_COLUMNS[table]:
        shown.add_column(name, overflow="fold")
    for row in rows:
        shown.add_row(*(escape_unprintable(_cell(row[name])) for name in _TABLE_COLUMNS[table]))
    print_table(shown)


def _cell(value: object) -> str:
    return "" if value is None else str(value)
