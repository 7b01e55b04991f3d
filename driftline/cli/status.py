"""``driftline status``: coverage, counters and losses of the sensor on this node."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from cyclopts import App
from rich.tree import Tree

from driftline.cli._shared.options import ObjectOutput
from driftline.cli._shared.tables import print_table
from driftline.errors import DriftlineError
from driftline.sensor.reporting.status import DEFAULT_ADDRESS

app = App(name="status")

_TIMEOUT_SECONDS = 5


@app.default
def status(address: str = DEFAULT_ADDRESS, *, output: ObjectOutput = "table") -> None:
    """Show the status of the running sensor: covered containers, counters, losses, policy.

    Parameters
    ----------
    address
        Address of the sensor's status server, as HOST:PORT; the sensor's option --listen.
    """
    found = _request_status(address)
    if output == "json":
        print(json.dumps(found, indent=2))
        return
    tree = Tree(f"driftline {found.pop('version')} on {found.pop('node')}")
    _add_branches(tree, found)
    print_table(tree)


def _request_status(address: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://{address}/status", timeout=_TIMEOUT_SECONDS) as answer:
            found: dict[str, Any] = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise DriftlineError(f"no sensor answers on {address} ({error}); is `driftline sensor` running?") from error
    return found


def _add_branches(tree: Tree, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, dict):
            _add_branches(tree.add(name), value)
        else:
            tree.add(f"{name}: {value}")
