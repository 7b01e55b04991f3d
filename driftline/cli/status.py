"""``driftline status``: what the sensor on this node covers, counts and has lost."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any, Literal

from cyclopts import App
from rich.console import Console
from rich.tree import Tree

from driftline.errors import DriftlineError
from driftline.sensor.reporting.status import DEFAULT_ADDRESS

app = App(name="status", help="Show what the sensor on this node covers, counts and has lost.")

_TIMEOUT_SECONDS = 5


@app.default
def status(address: str = DEFAULT_ADDRESS, *, output: Literal["table", "json"] = "table") -> None:
    """Ask a running sensor.

    Parameters
    ----------
    address
        Where the sensor listens (its ``--listen``).
    output
        For people, or JSON.
    """
    found = _ask(address)
    if output == "json":
        print(json.dumps(found, indent=2))
        return
    tree = Tree(f"driftline {found.pop('version')} on {found.pop('node')}")
    _grow(tree, found)
    Console().print(tree, markup=False)


def _ask(address: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://{address}/status", timeout=_TIMEOUT_SECONDS) as answer:
            found: dict[str, Any] = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise DriftlineError(f"no sensor answers on {address} ({error}); is `driftline sensor` running?") from error
    return found


def _grow(tree: Tree, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, dict):
            _grow(tree.add(name), value)
        else:
            tree.add(f"{name}: {value}")
