"""``driftline user``: a server's users; for admins."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from driftline.cli._shared import http_client, item_list
from driftline.errors import NotFound

app = App(name="user", help="Make, list, change and remove a server's users.")

Role = Literal["viewer", "analyst", "admin"]
Clusters = Annotated[list[str] | None, Parameter(name="--cluster", negative=())]


@app.command(name="list")
def list_users(*, output: item_list.Output = "table") -> None:
    """List users.

    Parameters
    ----------
    output
        For people, or a JSON array.
    """
    with http_client.connect() as client:
        users = list(client.items("/users"))
    item_list.print_items(users, ("name", "role", "clusters", "disabled", "subject", "created_at"), output)


@app.command
def create(name: str, *, role: Role = "viewer", clusters: Clusters = None) -> None:
    """Make a local user; the password is asked for, or read from standard input.

    Parameters
    ----------
    name
        Name to log in with.
    role
        What they may.
    clusters
        A cluster granted; may be given again. None: all.
    """
    body = {"name": name, "role": role, "clusters": clusters or ["*"], "password": _password(name)}
    with http_client.connect() as client:
        client.call("POST", "/users", body=body)


@app.command
def change(
    name: str,
    *,
    role: Role | None = None,
    clusters: Clusters = None,
    disabled: bool | None = None,
    password: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Change a user.

    Parameters
    ----------
    name
        Who.
    role
        A new role.
    clusters
        A cluster granted instead of those before; may be given again.
    disabled
        Disable, which ends all sessions and tokens, or enable.
    password
        Ask for a new password, or read it from standard input.
    """
    body: dict[str, Any] = {"role": role, "clusters": clusters, "disabled": disabled}
    body |= {"password": _password(name)} if password else {}
    with http_client.connect() as client:
        client.call("PATCH", f"/users/{_id(client, name)}", body=body)


@app.command
def remove(name: str) -> None:
    """Remove a user with their tokens.

    Parameters
    ----------
    name
        Who.
    """
    with http_client.connect() as client:
        client.call("DELETE", f"/users/{_id(client, name)}")


def _id(client: http_client.Client, name: str) -> str:
    for user in client.items("/users"):
        if user["name"] == name:
            return str(user["id"])
    raise NotFound(f"no user {name!r}")


def _password(name: str) -> str:
    return getpass.getpass(f"Password of {name}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
