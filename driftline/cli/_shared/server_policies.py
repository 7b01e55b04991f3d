"""``driftline policy push|get|history|rollback``: the versions on the server one is logged in to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cyclopts import App

from driftline import policy as policies
from driftline.cli._shared import http_client, item_list

__all__ = ["add_to"]

_COLUMNS = ("version", "created_at", "author", "message", "digest")


def push(file: Path, *, name: str = "default", message: str = "", if_version: int | None = None) -> None:
    """Put a policy file in force on the server, as the next version; its sensors have it within seconds.

    Parameters
    ----------
    file
        The policy file.
    name
        Cluster it is for; ``default`` is for every cluster without its own.
    message
        Why.
    if_version
        Refuse unless this version is in force; 0: unless there is none.
    """
    policies.load_file(file)
    body = {"text": file.read_text(encoding="utf-8"), "message": message, "if_version": if_version}
    with http_client.connect() as client:
        _say(client.call("PUT", f"/policies/{name}", body=body))


def get(name: str = "default", *, version: int | None = None) -> None:
    """Print a policy's text as it is on the server.

    Parameters
    ----------
    name
        Its name: a cluster's, or ``default``.
    version
        The version; the one in force if not given.
    """
    with http_client.connect() as client:
        place = f"/policies/{name}" if version is None else f"/policies/{name}/versions/{version}"
        print(client.call("GET", place)["text"], end="")


def history(name: str = "default", *, output: item_list.Output = "table") -> None:
    """List a policy's versions on the server, the newest first: who changed it, when and why.

    Parameters
    ----------
    name
        Its name: a cluster's, or ``default``.
    output
        For people, or a JSON array.
    """
    with http_client.connect() as client:
        item_list.print_items(list(client.items(f"/policies/{name}/versions")), _COLUMNS, output)


def rollback(version: int, *, name: str = "default", message: str = "") -> None:
    """Put the text of an earlier version in force again, as a new version.

    Parameters
    ----------
    version
        The version whose text is wanted.
    name
        Its name: a cluster's, or ``default``.
    message
        Why.
    """
    with http_client.connect() as client:
        _say(client.call("POST", f"/policies/{name}/rollback", body={"version": version, "message": message}))


def _say(made: dict[str, Any]) -> None:
    print(f"{made['name']}:{made['version']} is in force; driftline fleet sensors tells who runs it")


def add_to(app: App) -> None:
    """Add the commands to those of ``driftline policy``."""
    for command in (push, get, history, rollback):
        app.command(command)
