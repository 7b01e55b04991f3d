"""``driftline audit``: the audit trail of a server; needs the role admin in all clusters."""

from __future__ import annotations

import itertools

from cyclopts import App

from driftline.cli._shared import http_client, item_list
from driftline.cli._shared.options import ItemOutput

app = App(name="audit")

_COLUMNS = ("at", "actor", "action", "target", "address", "detail")
_PAGE = 1000


@app.default
def audit(*, actor: str = "", action: str = "", limit: int = 100, output: ItemOutput = "table") -> None:
    """List the audit trail of the server, the newest first: every write, hunt and login.

    Parameters
    ----------
    actor
        Show only what this user did. Default: all.
    action
        Show only this action, such as user.make, policy.put or hunt. Default: all.
    limit
        Maximum number of entries; 0 for all.
    """
    with http_client.connect() as client:
        entries = client.items("/audit", actor=actor, action=action, limit=min(limit or _PAGE, _PAGE))
        found = list(itertools.islice(entries, limit or None))
    item_list.print_items(found, _COLUMNS, output)
