"""``driftline user``: the users of a server; needs the role admin."""

from __future__ import annotations

import datetime
import getpass
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from driftline.cli._shared import http_client, item_list, secret_input
from driftline.cli._shared.options import Flag, ItemOutput, Repeated
from driftline.errors import NotFound
from driftline.server.auth.passwords import hash_password
from driftline.server.settings import load
from driftline.server.state import State, users
from driftline.server.state import audit as entries

app = App(name="user")

Role = Literal["viewer", "analyst", "admin"]
DATA = Parameter(env_var="DRIFTLINE_SERVER_DATA", help="State directory of the server on this machine.")
Clusters = Annotated[Repeated, Parameter(name="--cluster")]


@app.command(name="list")
def list_users(*, output: ItemOutput = "table") -> None:
    """List the users of the server with their roles and clusters."""
    with http_client.connect() as client:
        found = list(client.items("/users"))
    item_list.print_items(found, ("name", "role", "clusters", "disabled", "subject", "created_at"), output)


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


@app.command
def reset(name: str, *, data: Annotated[Path, DATA]) -> None:
    """Set the password of a local user on the server's own machine, for a lone admin who lost it.

    The new password is prompted for, or read from standard input. The user is enabled, and all sessions and tokens of
    the user end. Needs write access to the server's state; no login is needed, and the server may go on running.

    Parameters
    ----------
    name
        Name of the user.
    """
    settings = load(environ=os.environ, flags={"data": data}).settings
    hashed = hash_password(_password(name))
    state = State(settings.database_url)
    state.migrate(data)
    with state.writing() as session:
        user = users.find_name(session, name)
        if user is None or user.subject:
            raise NotFound(f"no local user {name!r}")
        user.password, user.disabled = hashed, False
        users.remove_tokens(session, user.id)
        entries.add_entry(
            session,
            "user.reset",
            actor=f"local:{getpass.getuser()}",
            target=user.id,
            detail={"password": "changed"},
            address="",
            request_id="",
            at=datetime.datetime.now(datetime.UTC),
        )
    print(f"the password of {name} is set")


# The API addresses users by id, because a name can be given to another user later.
def _id(client: http_client.Client, name: str) -> str:
    for user in client.items("/users"):
        if user["name"] == name:
            return str(user["id"])
    raise NotFound(f"no user {name!r}")


def _password(name: str) -> str:
    return secret_input.read_secret(f"Password of {name}: ")
