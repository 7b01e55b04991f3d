"""Lists of objects that the API returns: users, tokens, versions, alerts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rich.table import Table

from driftline.cli._shared.tables import print_table
from driftline.printable import escape_unprintable

__all__ = ["print_items"]


def print_items(items: Sequence[Mapping[str, Any]], columns: Sequence[str], output: Literal["table", "json"]) -> None:
    """Print the items as a JSON array with all their fields, or as a table of some of them.

    ``columns`` names the fields of the table in order; every item has them. ``None`` is an empty cell.
    """
    if output == "json":
        print(json.dumps(items, indent=2))
        return
    table = Table(*(column.replace("_", " ") for column in columns), box=None, header_style="dim")
    for item in items:
        table.add_row(*(_cell(item[column]) for column in columns))
    print_table(table)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else escape_unprintable(str(value))
