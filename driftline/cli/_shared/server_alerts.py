"""``driftline alerts list|act|history``: the alerts of the server one is logged in to, and their life."""

from __future__ import annotations

from typing import Literal

from cyclopts import App

from driftline.cli._shared import http_client, item_list

__all__ = ["add_to"]

_COLUMNS = ("id", "last_seen", "severity", "status", "count", "cluster", "title", "assignee")
_HISTORY = ("at", "actor", "action", "changes", "comment")
Action = Literal["start", "release", "resolve", "reopen", "assign", "classify", "comment"]


def list_alerts(
    *,
    status: str = "",
    severity: str = "",
    cluster: str = "",
    text: str = "",
    limit: int = 100,
    output: item_list.Output = "table",
) -> None:
    """List the server's alerts, the last seen first.

    Parameters
    ----------
    status
        Only new, "in progress" or resolved ones.
    severity
        Only of this severity: Informational, Low, Medium or High.
    cluster
        Only of this cluster.
    text
        Only with this text in title, path, image, workload, pod or hash.
    limit
        At most so many.
    output
        For people, or a JSON array with everything that is known.
    """
    asked = {"status": status, "severity": severity, "cluster": cluster, "text": text}
    filters = {name: value for name, value in asked.items() if value}
    with http_client.connect() as client:
        page = client.call("GET", "/alerts", limit=min(limit, 1000), **filters)
    item_list.print_items(page["items"], _COLUMNS, output)


def act(
    alert_id: str,
    action: Action,
    *,
    classification: Literal["true positive", "benign", "false positive"] | None = None,
    determination: str | None = None,
    assignee: str | None = None,
    comment: str = "",
) -> None:
    """Do something to an alert of the server.

    Parameters
    ----------
    alert_id
        Its id, as ``list`` shows it.
    action
        What to do; the server refuses what does not fit the alert's status.
    classification
        What it was; needed to resolve and to classify.
    determination
        The reason for the classification, as "malware" or "security testing".
    assignee
        Who is to work on it, for assign; "" for nobody.
    comment
        A word for the history.
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


def history(alert_id: str, *, output: item_list.Output = "table") -> None:
    """List what was done to an alert of the server, the oldest first.

    Parameters
    ----------
    alert_id
        Its id, as ``list`` shows it.
    output
        For people, or a JSON array.
    """
    with http_client.connect() as client:
        item_list.print_items(list(client.items(f"/alerts/{alert_id}/history")), _HISTORY, output)


def add_to(app: App) -> None:
    """Add the commands to those of ``driftline alerts``."""
    app.command(list_alerts, name="list")
    app.command(act)
    app.command(history)
