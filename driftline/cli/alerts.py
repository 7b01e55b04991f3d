"""``driftline alerts``: what the drift rules raised."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from cyclopts import App
from rich.console import Console

from driftline.cli._shared import alert_text, server_alerts, store_rows
from driftline.cli._shared.store_rows import DEFAULT_STORE, Format, Row, Store
from driftline.errors import InvalidInput
from driftline.store.process.reader import open_reader
from driftline.store.query.row_query import Filter, RowQuery

app = App(name="alerts", help="Show the alerts of a store; work on those of a server.")
server_alerts.add_to(app)

_PROPERTIES = {
    "namespace": "KubernetesNamespace",
    "pod": "KubernetesPodName",
    "container": "ContainerName",
    "image": "ContainerImageName",
    "content": "DriftContent",
}
_TOLD = ("Timestamp", "AlertId", "Title", "Severity", "ServiceSource", "DetectionSource", "AttackTechniques")


@app.default
def alerts(
    *,
    store: Store = DEFAULT_STORE,
    output: Format = "table",
    since: str = "",
    until: str = "",
    severity: str = "",
    namespace: str = "",
    pod: str = "",
    container: str = "",
    image: str = "",
    content: str = "",
    limit: int = 100,
    follow: bool = False,
) -> None:
    """Show alerts, the newest last.

    Parameters
    ----------
    store
        Directory of the event store.
    output
        For people; one JSON array; one JSON object a line; YAML.
    since
        Only from then on: a span back from now (``15m``, ``1h``, ``7d``) or an ISO time.
    until
        Only before then.
    severity
        Informational, Low, Medium or High.
    namespace, pod, container, image
        Only of this namespace, pod, container name, image reference.
    content
        added, modified, relocated or unverified.
    limit
        At most so many, the newest.
    follow
        Go on with new ones until interrupted.
    """
    asked = {"namespace": namespace, "pod": pod, "container": container, "image": image, "content": content}
    where = [Filter("EntityType", "=", "Process"), *store_rows.time_filters(since, until)]
    where += [Filter("Severity", "=", severity)] if severity else []
    where += [Filter(f"AdditionalFields.{_PROPERTIES[name]}", "=", value) for name, value in asked.items() if value]
    query = RowQuery(table="AlertEvidence", where=where, limit=limit)
    with open_reader(store) as reader:
        if follow:
            store_rows.follow(
                reader,
                query,
                lambda row: row["AlertId"],
                lambda rows: _show(_alerts(rows), store_rows.streamed(output)),
            )
        else:
            _show(_alerts(reversed(reader.select(query).to_pylist())), output)


@app.command
def show(alert_id: str, *, store: Store = DEFAULT_STORE, output: Format = "table") -> None:
    """Show one alert.

    Parameters
    ----------
    alert_id
        Its id, or the beginning of it.
    store
        Directory of the event store.
    output
        For people, or a format for programs.
    """
    with open_reader(store) as reader:
        query = RowQuery(table="AlertEvidence", where=[Filter("EntityType", "=", "Process")], limit=1_000_000)
        found = [row for row in reader.select(query).to_pylist() if row["AlertId"].startswith(alert_id)]
    if len(found) != 1:
        raise InvalidInput(f"{len(found) or 'no'} alerts have an id that begins with {alert_id!r}; expected one")
    _show(_alerts(found), output)


def _alerts(rows: Iterable[Row]) -> Iterator[Row]:
    for row in store_rows.decode_dynamic(rows, ("AdditionalFields",)):
        (category,) = json.loads(row["Categories"])
        told = {name: row[name] for name in _TOLD} | {"Category": category}
        yield {**told, **{name: value for name, value in row["AdditionalFields"].items() if name not in told}}


def _show(rows: Iterable[Row], output: Format) -> None:
    store_rows.print_rows(rows, output, _print_table)


def _print_table(rows: Sequence[Row]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    if not rows:
        console.print("no alerts")
    for row in rows:
        console.print(alert_text.render(row))
