"""``driftline token``: the caller's own personal tokens and sessions."""

from __future__ import annotations

from cyclopts import App

from driftline.cli._shared import http_client, ids, item_list
from driftline.cli._shared.options import ItemOutput, Repeated

app = App(name="token")


@app.command
def create(name: str, *, scope: Repeated = None, days: int | None = None) -> None:
    """Create a personal token and print its secret, which is not shown again.

    Parameters
    ----------
    name
        Purpose of the token, to recognise it in the list.
    scope
        Permission of the token; may be given several times. Default: all permissions of your role.
    days
        Days until the token expires. Default: 30, or as long as the token that you are logged in with.
    """
    with http_client.connect() as client:
        token = client.call("POST", "/tokens", body={"name": name, "scopes": scope or [], "days": days})
    print(token["token"])


@app.command(name="list")
def list_tokens(*, output: ItemOutput = "table") -> None:
    """List your personal tokens and sessions."""
    with http_client.connect() as client:
        tokens = client.call("GET", "/tokens")
    item_list.print_items(tokens, ("id", "kind", "name", "scopes", "expires_at", "last_used_at"), output)


@app.command
def revoke(token_id: str) -> None:
    """Revoke one of your tokens or sessions.

    Parameters
    ----------
    token_id
        Id of the token, or the start of it, as `driftline token list` shows it.
    """
    with http_client.connect() as client:
        ids_of = (token["id"] for token in client.call("GET", "/tokens"))
        client.call("DELETE", f"/tokens/{ids.pick(token_id, ids_of, 'token')}")
