"""The command line: thin commands over the packages below.

Each group is a module with an ``app``, loaded when it is asked for, so that ``--version`` and
``--help`` do not wait for DuckDB or gRPC.
"""

from __future__ import annotations

import logging
import os
import sys

from cyclopts import App

import driftline
from driftline.errors import DriftlineError, InvalidInput

__all__ = ["main"]

_GROUPS = {
    "sensor": "Watch the containers of this node and report what they run that is not of their image.",
    "alerts": "Show the alerts of a store; work on those of a server.",
    "events": "Show the rows of a store's hunting tables.",
    "status": "Show what the sensor on this node covers, counts and has lost.",
    "policy": "Check, explain and show drift policies; put them in force on a server.",
    "image": "Index images, look into them, compare them.",
    "scan": "Compare the files of running containers with their images.",
    "fleet": "Let sensors join a server, list them, revoke them.",
    "store": "Back up, restore, check and measure an event store.",
    "hunt": "Ask in KQL what happened, over the store or over files.",
    "server": "Run the control plane: API, alerts, policies, hunts.",
    "config": "Show the server's settings, and where each comes from.",
    "login": "Log in to a server.",
    "whoami": "Say who is logged in, and what they may.",
    "token": "Make, list and revoke personal tokens.",
    "user": "Make, list, change and remove a server's users.",
}


def _app() -> App:
    app = App(
        name="driftline", help="Binary drift in containers: seen, decided on, explained.", version=driftline.__version__
    )
    for name, about in _GROUPS.items():
        app.command(f"driftline.cli.{name}:app", name=name, help=about)
    return app


def main() -> None:
    """Run the command line; exits 0, 1 for a failure, 2 for input that is wrong."""
    logging.basicConfig(format="driftline: %(levelname)s: %(message)s", level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells each request
    try:
        _app()()
    except InvalidInput as error:
        sys.exit(_complain(error, 2))
    except DriftlineError as error:
        sys.exit(_complain(error, 1))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _complain(error: DriftlineError, code: int) -> int:
    for line in str(error).splitlines():
        print(f"driftline: error: {line}", file=sys.stderr)
    return code
