"""``driftline login``: exchange a password, the setup token or a login by OIDC for credentials, and keep them."""

from __future__ import annotations

import os
from typing import Annotated

from cyclopts import App, Parameter

from driftline.cli._shared import credentials, http_client, loopback
from driftline.cli._shared.credentials import Credentials
from driftline.cli._shared.options import Flag
from driftline.cli._shared.secret_input import read_secret

app = App(
    name="login",
    help_epilogue="Passwords and tokens are prompted for, or read from standard input, one a line. The credentials "
    "are kept for the other commands in $DRIFTLINE_CREDENTIALS, else in driftline/credentials.json "
    "below $XDG_CONFIG_HOME or ~/.config. DRIFTLINE_SERVER, DRIFTLINE_TOKEN and DRIFTLINE_CA in the "
    "environment take precedence over them.",
)


@app.default
def login(
    *,
    server: Annotated[str, Parameter(env_var="DRIFTLINE_SERVER")],
    name: str = "",
    ca: str = "",
    setup: Flag = False,
    token: Flag = False,
    oidc: Flag = False,
    browser: bool = True,
) -> None:
    """Log in to a server and keep the credentials for the other commands.

    Parameters
    ----------
    server
        URL of the server, as https://HOST[:PORT].
    name
        User name. Default: the name of this machine's user ($USER).
    ca
        PEM file with the certificate authority of the server. Default: the authorities of the system.
    setup
        Create the first admin, with the setup token that the server printed at its first start.
    token
        Log in with a personal token instead of a password.
    oidc
        Log in at the OpenID provider of the server, in a browser of this machine.
    browser
        With --oidc, open the browser; --no-browser only prints the URL.
    """
    name = name or os.environ.get("USER", "admin")
    anonymous = Credentials(server, ca=ca)
    if oidc:
        secret = loopback.log_in(anonymous, browser=browser)
    else:
        secret = read_secret("Token: ") if token else _session_token(anonymous, name, setup=setup)
    found = Credentials(server, secret, ca)
    # Only credentials that work are saved: a failed login keeps the previous ones.
    with http_client.connect(found) as client:
        me = client.call("GET", "/whoami")
    credentials.save_credentials(found)
    print(f"logged in to {server} as {me['name']} ({me['role']})")


def _session_token(anonymous: Credentials, name: str, *, setup: bool) -> str:
    body = {"token": read_secret("Setup token: ")} if setup else {}
    body |= {"name": name, "password": read_secret(f"Password of {name}: ")}
    with http_client.connect(anonymous) as client:
        session = client.call("POST", "/setup" if setup else "/login", body=body)
    return str(session["token"])
