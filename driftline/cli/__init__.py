"""The command line: thin commands over the other packages.

Each command group is a module with an ``app``, imported when the group is used, so that ``--version`` and
``--help`` do not wait for DuckDB or gRPC. ``_shared/`` has what several groups need.

To add a group, write ``driftline/cli/NAME.py`` with an ``app`` and add a row to ``_GROUPS``.
"""

from __future__ import annotations

import logging
import os
import sys

from cyclopts import App, Parameter

import driftline
from driftline.cli._shared import options
from driftline.errors import DriftlineError, InvalidInput

__all__ = ["command_line", "main"]

# Help text by group, also for the help of the group itself. Given here, it is shown without importing the group.
_GROUPS = {
    "sensor": "Run the sensor: report and block programs in this node's containers that are not from their image.",
    "alerts": "Show the alerts of a local store; list and work on the alerts of a server.",
    "suppression": "Create, list and remove the rules that resolve alerts of a server when they arrive.",
    "events": "Show rows of the hunting tables in a local store.",
    "status": "Show the coverage, the counters and the losses of the sensor on this node.",
    "policy": "Check, explain and test drift policies; read and change the policies of a server; stop blocking.",
    "image": "Index images, look up paths in them, compare them.",
    "scan": "Compare the files of running containers with their images.",
    "fleet": "Create join tokens for sensors; list and revoke the sensors of a server.",
    "store": "Measure, check, back up and restore an event store.",
    "hunt": "Run a KQL query over the event store, over files, or on a server.",
    "lists": "Upload and remove lists that hunts on a server read.",
    "server": "Run the server: API, alerts, policies, hunts, fleet.",
    "config": "Show the settings of the server, and the source of each.",
    "login": "Log in to a server.",
    "logout": "Log out of a server, and forget the credentials.",
    "password": "Change your own password.",
    "whoami": "Show the user you are logged in as, and your permissions.",
    "token": "Create, list and revoke your personal tokens.",
    "completion": "Print or install the completion of commands, options and names for bash, zsh or fish.",
    "user": "Create, list, change and remove the users of a server; set a lost password on its machine.",
    "audit": "List the audit trail of a server.",
}


def command_line() -> App:
    """Return the whole command line; its groups are imported when they are used."""
    app = App(
        name="driftline",
        help="Detect, explain and block binary drift in Kubernetes containers: programs that are not from the image.",
        version=driftline.__version__,
        default_parameter=Parameter(show_default=options.hide_empty_default),
    )
    for name, text in _GROUPS.items():
        app.command(f"driftline.cli.{name}:app", name=name, help=text)
    return app


def main() -> None:
    """Run the command line.

    Exit codes: 0 for success, 1 for a failure, 2 for invalid input, 130 after Ctrl-C. Some commands have
    further codes, which their help names. Errors go to standard error, one line each.
    """
    logging.basicConfig(format="driftline: %(levelname)s: %(message)s", level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # at INFO it logs each request
    try:
        command_line()()
    except InvalidInput as error:
        sys.exit(_print_error(error, 2))
    except DriftlineError as error:
        sys.exit(_print_error(error, 1))
    except ImportError as error:
        sys.exit(_print_error(_missing_package(error), 2))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of the pipe (head, less) has closed it. Python flushes standard output at exit, which would fail
        # again, so it is redirected first.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


# A sensor and a server are installed with the packages that they need; cyclopts wraps the error of a group's import.
def _missing_package(error: ImportError) -> InvalidInput:
    cause = error.__cause__ if isinstance(error.__cause__, ModuleNotFoundError) else error
    if not isinstance(cause, ModuleNotFoundError) or not cause.name or cause.name.startswith("driftline"):
        raise error
    return InvalidInput(f"this command needs the package {cause.name}: pip install 'driftline[all]'")


def _print_error(error: DriftlineError, code: int) -> int:
    for line in str(error).splitlines():
        print(f"driftline: error: {line}", file=sys.stderr)
    return code
