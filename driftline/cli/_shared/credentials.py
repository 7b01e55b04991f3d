"""The credentials that ``driftline login`` keeps: which server, which token."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from driftline.atomic_file import replace_file
from driftline.errors import InvalidInput, Unauthenticated

__all__ = [
    "Credentials",
    "credentials_file",
    "is_logged_in",
    "load_credentials",
    "remove_credentials",
    "save_credentials",
]


@dataclass(frozen=True, slots=True)
class Credentials:
    """The URL of a server, and the token that authenticates the caller to it."""

    server: str
    """URL of the server, as ``https://HOST[:PORT]``."""
    token: str = ""
    """Session or personal token (``dltk_…``); empty for a request without authentication."""
    ca: str = ""
    """Path of a PEM file with the certificate authority of the server; empty for the system's authorities."""


def credentials_file() -> Path:
    """Return the path of the credentials file, which need not exist.

    It is ``$DRIFTLINE_CREDENTIALS``, else ``driftline/credentials.json`` below ``$XDG_CONFIG_HOME`` or
    ``~/.config`` (XDG Base Directory Specification, version 0.8).
    """
    config = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    given = os.environ.get("DRIFTLINE_CREDENTIALS")
    return Path(given) if given else Path(config).expanduser() / "driftline" / "credentials.json"


def load_credentials(server: str = "") -> Credentials:
    """Return the credentials of the environment, else those that ``driftline login`` saved.

    The environment counts if it has both ``DRIFTLINE_SERVER`` and ``DRIFTLINE_TOKEN``; ``DRIFTLINE_CA``
    is optional. ``server`` is the URL that the caller wants to reach, empty for any.

    Raises ``Unauthenticated`` if there are no credentials, or if they belong to another server than
    ``server``: a token is never sent to a server that did not issue it. Raises ``InvalidInput`` for a
    file that cannot be read.
    """
    found = _saved()
    if server and server.rstrip("/") != found.server.rstrip("/"):
        raise Unauthenticated(f"logged in to {found.server}; use `driftline login --server {server}`")
    return found


def is_logged_in() -> bool:
    """Return whether there are credentials, in the environment or saved; raises ``InvalidInput`` as the load does."""
    try:
        _saved()
    except Unauthenticated:
        return False
    return True


def _saved() -> Credentials:
    environ = os.environ
    if environ.get("DRIFTLINE_SERVER") and environ.get("DRIFTLINE_TOKEN"):
        return Credentials(environ["DRIFTLINE_SERVER"], environ["DRIFTLINE_TOKEN"], environ.get("DRIFTLINE_CA", ""))
    path = credentials_file()
    try:
        return Credentials(**json.loads(path.read_text()))
    except FileNotFoundError as error:
        raise Unauthenticated("not logged in; use `driftline login --server URL`") from error
    except (OSError, ValueError, TypeError) as error:
        raise InvalidInput(f"{path}: {error}; `driftline login` writes a new file") from error


def remove_credentials() -> None:
    """Remove the credentials file, if there is one; raises ``OSError``."""
    credentials_file().unlink(missing_ok=True)


def save_credentials(credentials: Credentials) -> None:
    """Write the credentials file, readable by its owner only; raises ``OSError``."""
    path = credentials_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(path, json.dumps(asdict(credentials)).encode())
