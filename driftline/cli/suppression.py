"""``driftline suppression``: the rules that resolve alerts when they arrive."""

from __future__ import annotations

from cyclopts import App

from driftline.cli._shared import http_client, ids, item_list
from driftline.cli._shared.options import ItemOutput
from driftline.cli._shared.store_rows import time_after

app = App(name="suppression")

_COLUMNS = ("id", "name", "conditions", "reason", "hits", "expires_at", "created_by", "created_at")


@app.command(name="list")
def list_suppressions(*, output: ItemOutput = "table") -> None:
    """List the suppression rules with the number of occurrences that each suppressed."""
    with http_client.connect() as client:
        item_list.print_items(client.call("GET", "/suppressions"), _COLUMNS, output)


@app.command
def create(
    name: str,
    *,
    reason: str,
    cluster: str = "",
    namespace: str = "",
    workload: str = "",
    image: str = "",
    path: str = "",
    rule: str = "",
    sha256: str = "",
    expires: str = "",
) -> None:
    """Create a suppression rule and print its id; alerts that meet all conditions are counted and resolved.

    `*` stands for any text in a condition, except in --cluster and --sha256. One condition besides the cluster is
    required.

    Parameters
    ----------
    name
        Name of the rule.
    reason
        Reason for the rule.
    cluster
        Cluster of the alerts. Default: all clusters, which needs a grant for all.
    namespace
        Namespace of the alerts.
    workload
        Workload of the alerts, such as Deployment/web.
    image
        Image reference of the alerts.
    path
        Path of the file.
    rule
        Drift rule of the alerts.
    sha256
        Digest of the file.
    expires
        End of the rule: a span from now (90s, 15m, 1h, 7d) or an ISO 8601 time. Default: until it is removed.
    """
    conditions = {
        "cluster": cluster,
        "namespace": namespace,
        "workload": workload,
        "image": image,
        "path": path,
        "rule": rule,
        "sha256": sha256,
    }
    body = {
        "name": name,
        "reason": reason,
        "conditions": {field: value for field, value in conditions.items() if value},
        "expires_at": time_after("--expires", expires) if expires else None,
    }
    with http_client.connect() as client:
        print(client.call("POST", "/suppressions", body=body)["id"])


@app.command
def remove(rule: str) -> None:
    """Remove a suppression rule; alerts that it resolved stay resolved.

    Parameters
    ----------
    rule
        Name of the rule, or its id, or the start of the id.
    """
    with http_client.connect() as client:
        known = {it["id"]: it["name"] for it in client.call("GET", "/suppressions")}
        named = [number for number, name in known.items() if name == rule]
        client.call("DELETE", f"/suppressions/{named[0] if named else ids.pick(rule, known, 'suppression rule')}")
