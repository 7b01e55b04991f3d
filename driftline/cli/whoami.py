"""``driftline whoami``: the user and the permissions of the credentials in use."""

from __future__ import annotations

import json

from cyclopts import App

from driftline.cli._shared import http_client
from driftline.cli._shared.options import ObjectOutput

app = App(name="whoami")


@app.default
def whoami(*, output: ObjectOutput = "table") -> None:
    """Show the user, role, clusters and permissions that your credentials have on the server."""
    with http_client.connect() as client:
        me = client.call("GET", "/whoami")
    if output == "json":
        print(json.dumps(me, indent=2))
        return
    print(f"{me['name']}, {me['role']} in {', '.join(me['clusters']) or 'no cluster'}")
    print("may: " + ", ".join(me["permissions"]))
