"""``driftline config``: the settings of the server, as it would start with them."""

from __future__ import annotations

import json
from typing import Any

from cyclopts import App
from rich.table import Table

from driftline.cli._shared import server_flags
from driftline.cli._shared.options import ObjectOutput
from driftline.cli._shared.tables import print_table

app = App(name="config")


@app.command
def show(flags: server_flags.Flags | None = None, *, output: ObjectOutput = "table") -> None:
    """Show every setting with its value and its source: flag, environment, file or default. Secrets are masked.

    The flags are those of `driftline server`.
    """
    loaded = server_flags.load(flags)
    # The JSON mode of pydantic masks secrets.
    values = loaded.settings.model_dump(mode="json")
    if output == "json":
        print(json.dumps({name: {"value": values[name], "source": loaded.sources[name]} for name in values}, indent=2))
    else:
        _print_table(values, loaded.sources)


def _print_table(values: dict[str, Any], sources: Any) -> None:
    table = Table("setting", "value", "source", box=None, header_style="dim")
    for name, value in values.items():
        table.add_row(name, "" if value is None else str(value), sources[name])
    print_table(table)
