"""``driftline alerts``: the alerts of a local store, and the alerts of a server with their history.

The two have different identities: the store keeps every alert that a sensor raised, a server merges
repeats into one alert with a count, a status and an assignee.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from cyclopts import App
from rich.console import Console

from driftline.cli._shared import alert_text, http_client, item_list, store_rows
from driftline.cli._shared.options import (
    DEFAULT_STORE,
    Content,
    Follow,
    ItemOutput,
    Limit,
    RowOutput,
    Since,
    Store,
    Until,
    WorkloadFilter,
)
from driftline.cli._shared.store_rows import Row
from driftline.errors import InvalidInput
from driftline.store.process.reader import open_reader
from driftline.store.query.row_query import Filter, RowQuery

app = App(name="alerts")

Action = Literal["start", "release", "resolve", "reopen", "assign", "classify", "comment"]

_ALERT_COLUMNS = ("Timestamp", "AlertId", "Title", "Severity", "ServiceSource", "DetectionSource", "AttackTechniques")
_LIST_COLUMNS = ("id", "last_seen", "severity", "status", "count", "cluster", "title", "assignee")
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
def show(alert_id: str, *, store: Store = DEFAULT_STORE, output: RowOutput = "table") -> None:
    """Show one alert of a local store.

    Parameters
    ----------
    alert_id
        Id of the alert, or the start of it if no other alert's id starts the same.
    """
    with open_reader(store) as reader:
        query = RowQuery(table="AlertEvidence", where=[Filter("EntityType", "=", "Process")], limit=1_000_000)
        found = [row for row in reader.select(query).to_pylist() if row["AlertId"].startswith(alert_id)]
    if len(found) != 1:
        raise InvalidInput(f"{len(found) or 'no'} alerts have an id that begins with {alert_id!r}; expected one")
    _print(_with_evidence(found), output)


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
    status: str = "",
    severity: str = "",
    cluster: str = "",
    text: str = "",
    limit: int = 100,
    output: ItemOutput = "table",
) -> None:
    """List the alerts of the server you are logged in to, the last seen first.

    Parameters
    ----------
    status
        Show only alerts with this status: new, "in progress" or resolved. Default: all.
    severity
        Show only alerts of this severity: Informational, Low, Medium or High. Default: all.
    cluster
        Show only alerts of this cluster. Default: all clusters that you may see.
    text
        Show only alerts with this text in the title, path, image, hash, namespace, workload, pod or node. Default: all.
    limit
        Maximum number of alerts, up to 1000.
    """
    given = {"status": status, "severity": severity, "cluster": cluster, "text": text}
    filters = {name: value for name, value in given.items() if value}
    with http_client.connect() as client:
        page = client.call("GET", "/alerts", limit=min(limit, 1000), **filters)
    item_list.print_items(page["items"], _LIST_COLUMNS, output)


@app.command
def act(
    alert_id: str,
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
        Id of the alert, as `driftline alerts list` shows it.
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
        alert = client.call("POST", f"/alerts/{alert_id}/actions", body=given)
    print(f"{alert['id']}: {alert['status']}")


@app.command
def history(alert_id: str, *, output: ItemOutput = "table") -> None:
    """List the actions on an alert of the server, the oldest first.

    Parameters
    ----------
    alert_id
        Id of the alert, as `driftline alerts list` shows it.
    """
    with http_client.connect() as client:
        item_list.print_items(list(client.items(f"/alerts/{alert_id}/history")), _HISTORY_COLUMNS, output)
