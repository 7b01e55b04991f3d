"""``driftline password``: the caller's own password."""

from __future__ import annotations

from cyclopts import App

from driftline.cli._shared import http_client
from driftline.cli._shared.secret_input import read_secret

app = App(name="password")


@app.default
def password() -> None:
    """Change your own password; all your other sessions and tokens end.

    The present and the new password are prompted for, or read from standard input, one a line.
    """
    body = {"old": read_secret("Present password: "), "new": read_secret("New password: ")}
    with http_client.connect() as client:
        client.call("PUT", "/password", body=body)
    print("the password is changed; your other sessions and tokens have ended")
