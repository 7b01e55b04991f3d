"""Lists of a server's things, for people and programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from driftline.cli._shared.alert_text import safe

__all__ = ["Output", "print_items"]

Output = Literal["table", "json"]


def print_items(items: Sequence[Mapping[str, Any]], columns: Sequence[str], output: Output) -> None:
    """Print the items whole as JSON, or some columns as a table."""
    if output == "json":
        print(json.dumps(items, indent=2))
        return
    table = Table(*(column.replace("_", " ") for column in columns), box=None, header_style="dim")
    for item in items:
        table.add_row(*(_cell(item[column]) for column in columns))
    Console().print(table, markup=False)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else safe(str(value))
