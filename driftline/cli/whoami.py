"""``driftline whoami``."""

from __future__ import annotations

import json
from typing import Literal

from cyclopts import App

from driftline.cli._shared import http_client

app = App(name="whoami", help="Say who is logged in, and what they may.")


@app.default
def whoami(*, output: Literal["table", "json"] = "table") -> None:
    """Ask the server who the kept credentials are.

    Parameters
    ----------
    output
        For people, or one JSON object.
    """
    with http_client.connect() as client:
        me = client.call("GET", "/whoami")
    if output == "json":
        print(json.dumps(me, indent=2))
        return
    print(f"{me['name']}, {me['role']} in {', '.join(me['clusters']) or 'no cluster'}")
    print("may: " + ", ".join(me["permissions"]))
