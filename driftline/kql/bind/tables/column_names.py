"""Default names of columns.

Kusto names an unnamed expression after what it reads or calls; otherwise it numbers it (``Column1``).
https://learn.microsoft.com/kusto/query/summarize-operator and …/extend-operator
"""

from __future__ import annotations

from collections.abc import Iterable

from driftline.kql import functions, syntax

__all__ = ["ColumnNames", "default_name"]


def default_name(node: syntax.Expr) -> str:
    """Return Kusto's default name of an expression; the empty text if Kusto numbers the column."""
    if isinstance(node, syntax.Name):
        return node.name
    if isinstance(node, syntax.Named):
        return "".join(node.names[:1]) or default_name(node.value)
    # d.a.b becomes d_a_b, and d[0] becomes d_0.
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


class ColumnNames:
    """The names of a list of columns: given, by default, or numbered; each once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        """Begin with names that are taken already."""
        self.taken = set(taken)
        self.number = 0

    def unnamed(self) -> str:
        """Return the next free name of ``Column1``, ``Column2`` and so on."""
        while True:
            self.number += 1
            if f"Column{self.number}" not in self.taken:
                return self.unique(f"Column{self.number}")

    def unique(self, name: str) -> str:
        """Return the name, with a number behind it if it is taken."""
        candidate, number = name, 0
        while candidate in self.taken:
            number += 1
            candidate = f"{name}{number}"
        self.taken.add(candidate)
        return candidate

    def of(self, item: syntax.Named) -> str:
        """Return the name of an item: as the query gives it, otherwise the default name made unique."""
        if item.names:
            self.taken.add(item.names[0])
            return item.names[0]
        name = default_name(item.value)
        return self.unique(name) if name else self.unnamed()
