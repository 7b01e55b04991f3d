"""``driftline alerts``: the alerts of a local store, and the alerts of a server with their history.

The two have different identities: the store keeps every alert that a sensor raised, a server merges
repeats into one alert with a count, a status and an assignee.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Literal

from cyclopts import App, Parameter
from rich.console import Console

from driftline.cli._shared import alert_text, completers, http_client, ids, item_list, store_rows
from driftline.cli._shared.credentials import is_logged_in
from driftline.cli._shared.options import (
    DEFAULT_STORE,
    AlertFilter,
    Content,
    Follow,
    ItemOutput,
    Limit,
    OptionalStore,
    RowOutput,
    Since,
    Store,
    Until,
    WorkloadFilter,
)
from driftline.cli._shared.store_rows import Row
from driftline.printable import escape_unprintable
from driftline.store.process.reader import open_reader
from driftline.store.query.row_query import Filter, RowQuery

AlertId = Annotated[str, Parameter(completer=completers.alerts)]

app = App(name="alerts")

Action = Literal["start", "release", "resolve", "reopen", "assign", "classify", "comment"]

_ALERT_COLUMNS = ("Timestamp", "AlertId", "Title", "Severity", "ServiceSource", "DetectionSource", "AttackTechniques")
_LIST_COLUMNS = ("id", "last_seen", "severity", "status", "count", "place_count", "cluster", "title", "assignee")
_PLACE_COLUMNS = ("cluster", "namespace", "workload", "pod", "node", "count", "first_seen", "last_seen")
_SHOWN = ("id", "title", "severity", "status", "classification", "assignee", "count", "first_seen", "last_seen",
          "description", "path", "sha256", "image", "image_digest", "rule", "techniques", "new_places")  # fmt: skip
_PAGE = 1000
_HISTORY_COLUMNS = ("at", "actor", "action", "changes", "comment")


@app.default
def alerts(
    *,
    store: Store = DEFAULT_STORE,
    output: RowOutput = "table",
    since: Since = "",
    until: Until = "",
    severity: str = "",
    workload: WorkloadFilter | None = None,
    content: Content = "",
    limit: Limit = 100,
    follow: Follow = False,
) -> None:
    """Show the alerts of a local store in ascending order of time.

    Parameters
    ----------
    severity
        Show only alerts of this severity: Informational, Low, Medium or High. Default: all.
    """
    # One row of AlertEvidence an alert describes the process; its AdditionalFields carry the columns of the execution.
    columns = (workload or WorkloadFilter()).columns() | {"DriftContent": content}
    where = [Filter("EntityType", "=", "Process"), *store_rows.time_filters(since, until)]
    where += [Filter("Severity", "=", severity)] if severity else []
    where += [Filter(f"AdditionalFields.{name}", "=", value) for name, value in columns.items() if value]
    query = RowQuery(table="AlertEvidence", where=where, limit=limit)
    with open_reader(store) as reader:
        if follow:
            streamed = store_rows.streaming_format(output)
            store_rows.follow(
                reader, query, lambda row: row["AlertId"], lambda rows: _print(_with_evidence(rows), streamed)
            )
        else:
            _print(_with_evidence(reversed(reader.select(query).to_pylist())), output)


@app.command
def show(alert_id: AlertId, *, store: OptionalStore = None, output: RowOutput = "table") -> None:
    """Show one alert: of the server you are logged in to, or of a local store.

    Parameters
    ----------
    alert_id
        Id of the alert, or the start of it if no other alert's id starts the same.
    """
    if store is None and is_logged_in():
        _show_of_server(alert_id, output)
        return
    with open_reader(store or DEFAULT_STORE) as reader:
        query = RowQuery(table="AlertEvidence", where=[Filter("EntityType", "=", "Process")], limit=1_000_000)
        found = reader.select(query).to_pylist()
    chosen = ids.pick(alert_id, (row["AlertId"] for row in found), "alert")
    _print(_with_evidence(row for row in found if row["AlertId"] == chosen), output)


def _show_of_server(alert_id: str, output: RowOutput) -> None:
    with http_client.connect() as client:
        chosen = ids.find_alert_id(client, alert_id)
        alert = client.call("GET", f"/alerts/{chosen}")
        alert["places"] = list(client.items(f"/alerts/{chosen}/places"))
    if output != "table":
        store_rows.print_rows([alert], output, _print_text)
        return
    for name in _SHOWN:
        print(f"{name.replace('_', ' '):<15}{escape_unprintable(_text(alert[name]))}")
    print()
    item_list.print_items(alert["places"], _PLACE_COLUMNS, "table")


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


# The fields of the alert come first, then the columns of the execution that it is about.
def _with_evidence(rows: Iterable[Row]) -> Iterator[Row]:
    for row in store_rows.decode_dynamic(rows, ("AdditionalFields",)):
        (category,) = json.loads(row["Categories"])
        alert = {name: row[name] for name in _ALERT_COLUMNS} | {"Category": category}
        yield {**alert, **{name: value for name, value in row["AdditionalFields"].items() if name not in alert}}


def _print(rows: Iterable[Row], output: store_rows.Format) -> None:
    store_rows.print_rows(rows, output, _print_text)


def _print_text(rows: Sequence[Row]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    if not rows:
        console.print("no alerts")
    for row in rows:
        console.print(alert_text.render(row))


# Alerts of the server


@app.command(name="list")
def list_alerts(
    *,
    filters: AlertFilter | None = None,
    since: Since = "",
    until: Until = "",
    limit: int = 100,
    output: ItemOutput = "table",
) -> None:
    """List the alerts of the server you are logged in to, the last seen first.

    The times of the range are those of the latest occurrence. Values of a fixed set are accepted in any case.

    Parameters
    ----------
    limit
        Maximum number of alerts; 0 for all.
    """
    given = (filters or AlertFilter()).parameters()
    given |= {item.operator: item.value for item in store_rows.time_filters(since, until)}
    named = {{">=": "since", "<": "until"}.get(name, name): value for name, value in given.items()}
    size = min(limit or _PAGE, _PAGE)
    with http_client.connect() as client:
        found = list(itertools.islice(client.items("/alerts", limit=size, **named), limit or None))
    item_list.print_items(found, _LIST_COLUMNS, output)


@app.command
def act(
    alert_id: AlertId,
    action: Action,
    *,
    classification: Literal["true positive", "benign", "false positive"] | None = None,
    determination: str | None = None,
    assignee: str | None = None,
    comment: str = "",
) -> None:
    """Change the status, assignee or classification of an alert on the server, or comment on it.

    Parameters
    ----------
    alert_id
        Id of the alert, or the start of it, as `driftline alerts list` shows it.
    action
        Action to perform; the server refuses an action that the status of the alert does not allow.
    classification
        Result of the investigation; required for resolve and classify.
    determination
        Reason for the classification, such as "malware" or "security testing".
    assignee
        Name of the user to assign the alert to, for the action assign; "" removes the assignee.
    comment
        Comment to record in the history of the alert.
    """
    body = {
        "action": action,
        "classification": classification,
        "determination": determination,
        "assignee": assignee,
        "comment": comment,
    }
    given = {name: value for name, value in body.items() if value is not None}
    with http_client.connect() as client:
        alert = client.call("POST", f"/alerts/{ids.find_alert_id(client, alert_id)}/actions", body=given)
    print(f"{alert['id']}: {alert['status']}")


@app.command
def history(alert_id: AlertId, *, output: ItemOutput = "table") -> None:
    """List the actions on an alert of the server, the oldest first.

    Parameters
    ----------
    alert_id
        Id of the alert, or the start of it, as `driftline alerts list` shows it.
    """
    with http_client.connect() as client:
        history = list(client.items(f"/alerts/{ids.find_alert_id(client, alert_id)}/history"))
    item_list.print_items(history, _HISTORY_COLUMNS, output)
