"""``driftline logout``: end the session on the server, and forget the credentials."""

from __future__ import annotations

from cyclopts import App

from driftline.cli._shared import credentials, http_client
from driftline.errors import Unauthenticated

app = App(name="logout")


@app.default
def logout() -> None:
    """End the session, or revoke the token, that you are logged in with, and remove the saved credentials."""
    found = credentials.load_credentials()
    try:
        with http_client.connect(found) as client:
            client.call("POST", "/logout")
    except Unauthenticated:
        pass  # it had ended already
    credentials.remove_credentials()
    print(f"logged out of {found.server}")
