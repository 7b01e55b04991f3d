"""``driftline token``: one's own personal tokens."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from driftline.cli._shared import http_client, item_list

app = App(name="token", help="Make, list and revoke personal tokens.")


@app.command
def create(name: str, *, scope: Annotated[list[str], Parameter(negative=())] | None = None, days: int = 30) -> None:
    """Make a token and print its secret, which is shown this once.

    Parameters
    ----------
    name
        What it is for.
    scope
        A permission it shall have; may be given again. None: all that its owner has.
    days
        Days until it expires.
    """
    with http_client.connect() as client:
        made = client.call("POST", "/tokens", body={"name": name, "scopes": scope or [], "days": days})
    print(made["token"])


@app.command(name="list")
def list_tokens(*, output: item_list.Output = "table") -> None:
    """List tokens and sessions.

    Parameters
    ----------
    output
        For people, or a JSON array.
    """
    with http_client.connect() as client:
        tokens = client.call("GET", "/tokens")
    item_list.print_items(tokens, ("id", "kind", "name", "scopes", "expires_at", "last_used_at"), output)


@app.command
def revoke(token_id: str) -> None:
    """Revoke a token or session.

    Parameters
    ----------
    token_id
        Its id, as ``list`` shows it.
    """
    with http_client.connect() as client:
        client.call("DELETE", f"/tokens/{token_id}")
