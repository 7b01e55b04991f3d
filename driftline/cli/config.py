"""``driftline config``: the server's settings."""

from __future__ import annotations

import json
from typing import Any, Literal

from cyclopts import App
from rich.console import Console
from rich.table import Table

from driftline.cli._shared import server_flags

app = App(name="config", help="Show the server's settings, and where each comes from.")


@app.command
def show(flags: server_flags.Flags | None = None, *, output: Literal["table", "json"] = "table") -> None:
    """Show every setting with its value and source; secrets are masked.

    Parameters
    ----------
    flags
        As ``driftline server`` takes them.
    output
        For people, or one JSON object.
    """
    loaded = server_flags.load(flags)
    values = loaded.settings.model_dump(mode="json")
    if output == "json":
        print(json.dumps({name: {"value": values[name], "source": loaded.sources[name]} for name in values}, indent=2))
    else:
        _print_table(values, loaded.sources)


def _print_table(values: dict[str, Any], sources: Any) -> None:
    table = Table("setting", "value", "source", box=None, header_style="dim")
    for name, value in values.items():
        table.add_row(name, "" if value is None else str(value), sources[name])
    Console().print(table, markup=False)
