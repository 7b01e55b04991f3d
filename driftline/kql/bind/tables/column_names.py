"""Names that Kusto gives to unnamed columns.

https://learn.microsoft.com/kusto/query/summarize-operator (default column names)
"""

from __future__ import annotations

from collections.abc import Iterable

from driftline.kql import functions, syntax

__all__ = ["Names", "default_name"]


def default_name(node: syntax.Expr) -> str:
    """Give the name Kusto gives an unnamed expression, "" if it numbers it."""
    if isinstance(node, syntax.Name):
        return node.name
    if isinstance(node, syntax.Member):
        return f"{default_name(node.base)}_{node.name}".lstrip("_")
    if isinstance(node, syntax.Index) and isinstance(node.index, syntax.Literal):
        return f"{default_name(node.base)}_{node.index.value}"
    if isinstance(node, syntax.Call):
        return _call_name(node)
    return ""


def _call_name(node: syntax.Call) -> str:
    name = functions.ALIASES.get(node.name, node.name)
    row = functions.find(name)
    form = row.column_name if name == node.name else row.alias_column_name or row.column_name
    first, second = [*map(default_name, node.arguments[:2]), "", ""][:2]
    if name == "percentile" and len(node.arguments) > 1 and isinstance(node.arguments[1], syntax.Literal):
        return f"percentile_{first}_{node.arguments[1].value}"
    return form.format(first, second) if form else ""


class Names:
    """Give each column of a list its name; numbers what has none."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = set(taken)
        self.number = 0

    def unnamed(self) -> str:
        while True:
            self.number += 1
            if f"Column{self.number}" not in self.taken:
                return self.unique(f"Column{self.number}")

    def unique(self, name: str) -> str:
        candidate, number = name, 0
        while candidate in self.taken:
            number += 1
            candidate = f"{name}{number}"
        self.taken.add(candidate)
        return candidate

    def of(self, item: syntax.Named) -> str:
        if item.names:
            self.taken.add(item.names[0])
            return item.names[0]
        name = default_name(item.value)
        return self.unique(name) if name else self.unnamed()
