"""``driftline login``: from a password, or the first start's token, to kept credentials."""

from __future__ import annotations

import getpass
import os
import sys
from typing import Annotated

from cyclopts import App, Parameter

from driftline.cli._shared import http_client

app = App(name="login", help="Log in to a server.")


@app.default
def login(
    *,
    server: Annotated[str, Parameter(env_var="DRIFTLINE_SERVER")],
    name: str = "",
    ca: str = "",
    setup: Annotated[bool, Parameter(negative=())] = False,
    token: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Log in and keep the credentials; secrets are asked for, or read from standard input.

    Parameters
    ----------
    server
        URL of the server.
    name
        User name; this machine's user if not given.
    ca
        PEM file of the authority that signed the server's certificate.
    setup
        Make the first admin, with the token the server printed at its first start.
    token
        Keep a personal token instead of logging in with a password.
    """
    name = name or os.environ.get("USER", "admin")
    anonymous = http_client.Credentials(server, ca=ca)
    credentials = http_client.Credentials(
        server, _ask("Token: ") if token else _log_in(anonymous, name, setup=setup), ca
    )
    with http_client.connect(credentials) as client:
        me = client.call("GET", "/whoami")
    http_client.save_credentials(credentials)
    print(f"logged in to {server} as {me['name']} ({me['role']})")


def _log_in(anonymous: http_client.Credentials, name: str, *, setup: bool) -> str:
    body = {"token": _ask("Setup token: ")} if setup else {}
    body |= {"name": name, "password": _ask(f"Password of {name}: ")}
    with http_client.connect(anonymous) as client:
        made = client.call("POST", "/setup" if setup else "/login", body=body)
    return str(made["token"])


def _ask(prompt: str) -> str:
    return getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
