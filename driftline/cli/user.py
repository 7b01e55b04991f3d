"""``driftline user``: the users of a server; needs the role admin."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from driftline.cli._shared import http_client, item_list, secret_input
from driftline.cli._shared.options import Flag, ItemOutput, Repeated
from driftline.errors import NotFound

app = App(name="user")

Role = Literal["viewer", "analyst", "admin"]
Clusters = Annotated[Repeated, Parameter(name="--cluster")]


@app.command(name="list")
def list_users(*, output: ItemOutput = "table") -> None:
    """List the users of the server with their roles and clusters."""
    with http_client.connect() as client:
        users = list(client.items("/users"))
    item_list.print_items(users, ("name", "role", "clusters", "disabled", "subject", "created_at"), output)


@app.command
def create(name: str, *, role: Role = "viewer", clusters: Clusters = None) -> None:
    """Create a user who logs in with a password, which is prompted for, or read from standard input.

    Parameters
    ----------
    name
        Name to log in with.
    role
        Role of the user; each role includes the permissions of the roles before it.
    clusters
        Cluster that the user may see; may be given several times. Default: all clusters.
    """
    body = {
        "name": name,
        "role": role,
        "clusters": clusters or ["*"],
        "password": secret_input.read_secret(f"Password of {name}: "),
    }
    with http_client.connect() as client:
        client.call("POST", "/users", body=body)


@app.command
def change(
    name: str,
    *,
    role: Role | None = None,
    clusters: Clusters = None,
    disabled: bool | None = None,
    password: Flag = False,
) -> None:
    """Change the role, the clusters, the state or the password of a user; other properties stay as they are.

    Parameters
    ----------
    name
        Name of the user.
    role
        New role.
    clusters
        Cluster that the user may see, in place of the present ones; may be given several times.
    disabled
        Disable the user, which ends all sessions and tokens; --no-disabled enables the user again.
    password
        Set a new password, which is prompted for, or read from standard input.
    """
    body: dict[str, Any] = {"role": role, "clusters": clusters, "disabled": disabled}
    body |= {"password": _password(name)} if password else {}
    with http_client.connect() as client:
        client.call("PATCH", f"/users/{_id(client, name)}", body=body)


@app.command
def remove(name: str) -> None:
    """Remove a user and the user's tokens.

    Parameters
    ----------
    name
        Name of the user.
    """
    with http_client.connect() as client:
        client.call("DELETE", f"/users/{_id(client, name)}")


# The API addresses users by id, because a name can be given to another user later.
def _id(client: http_client.Client, name: str) -> str:
    for user in client.items("/users"):
        if user["name"] == name:
            return str(user["id"])
    raise NotFound(f"no user {name!r}")


def _password(name: str) -> str:
    return secret_input.read_secret(f"Password of {name}: ")
