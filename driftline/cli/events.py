"""``driftline events``: the rows of the hunting tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cyclopts import App
from rich.console import Console
from rich.table import Table

from driftline.cli._shared import store_rows
from driftline.cli._shared.alert_text import safe
from driftline.cli._shared.store_rows import DEFAULT_STORE, Format, Row, Store
from driftline.errors import InvalidInput
from driftline.events import TABLES
from driftline.store.process.reader import open_reader
from driftline.store.query.row_query import Filter, RowQuery

app = App(name="events", help="Show the rows of a store's hunting tables.")

_SHOWN = {
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
    table: str = "CloudProcessEvents",
    store: Store = DEFAULT_STORE,
    output: Format = "table",
    since: str = "",
    until: str = "",
    namespace: str = "",
    pod: str = "",
    container: str = "",
    image: str = "",
    drift: str = "",
    content: str = "",
    action_type: str = "",
    limit: int = 100,
    follow: bool = False,
) -> None:
    """Show rows, the newest last.

    Parameters
    ----------
    table
        Name of the hunting table.
    store
        Directory of the event store.
    output
        For people; one JSON array; one JSON object a line; YAML.
    since
        Only from then on: a span back from now (``15m``, ``1h``, ``7d``) or an ISO time.
    until
        Only before then.
    namespace, pod, container, image
        Only of this namespace, pod, container name, image reference.
    drift
        yes, no or unknown.
    content
        identical, added, modified, relocated or unverified.
    action_type
        ProcessCreated, ProcessEnded, LibraryLoaded, ScriptRead, EventsLost …
    limit
        At most so many, the newest.
    follow
        Go on with new ones until interrupted.
    """
    if table not in TABLES:
        raise InvalidInput(f"--table: expected one of {', '.join(TABLES)}, got {table!r}")
    asked = {
        "KubernetesNamespace": namespace,
        "KubernetesPodName": pod,
        "ContainerName": container,
        "ContainerImageName": image,
        "Drift": drift,
        "DriftContent": content,
        "ActionType": action_type,
    }
    where = [Filter(column, "=", value) for column, value in asked.items() if value]
    query = RowQuery(table=table, where=[*store_rows.time_filters(since, until), *where], limit=limit)
    with open_reader(store) as reader:
        if follow:
            store_rows.follow(reader, query, _key, lambda rows: _show(rows, table, store_rows.streamed(output)))
        else:
            _show(reversed(reader.select(query).to_pylist()), table, output)


def _key(row: Row) -> object:
    return tuple(str(value) for value in row.values())


def _show(rows: Iterable[Row], table: str, output: Format) -> None:
    store_rows.print_rows(_decoded(rows, table), output, lambda found: _print_table(found, table))


def _decoded(rows: Iterable[Row], table: str) -> Iterator[Row]:
    dynamic = [column.name for column in TABLES[table].columns if column.type == "dynamic"]
    return store_rows.decode_dynamic(rows, dynamic)


def _print_table(rows: Sequence[Row], table: str) -> None:
    shown = Table(box=None, header_style="dim")
    for name in _SHOWN[table]:
        shown.add_column(name, overflow="fold")
    for row in rows:
        shown.add_row(*(safe(_cell(row[name])) for name in _SHOWN[table]))
    Console().print(shown, markup=False)


def _cell(value: object) -> str:
    return "" if value is None else str(value)
