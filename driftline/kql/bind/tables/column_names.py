"""Names that Kusto gives to unnamed columns.

https://learn.microsoft.com/kusto/query/summarize-operator (default column names)
"""

from __future__ import annotations

from collections.abc import Iterable

from driftline.kql import functions, syntax

__all__ = ["Names", "aggregate_name", "default_name"]


def default_name(node: syntax.Expr) -> str:
    """Give the name Kusto gives an unnamed expression, "" if it numbers it."""
    if isinstance(node, syntax.Name):
        return node.name
    if isinstance(node, syntax.Member):
        return f"{default_name(node.base)}_{node.name}".lstrip("_")
    if isinstance(node, syntax.Index) and isinstance(node.index, syntax.Literal):
        return f"{default_name(node.base)}_{node.index.value}"
    if isinstance(node, syntax.Call):
        name = functions.ALIASES.get(node.name, node.name)
        if name in NAMED_AFTER_ARGUMENT and node.arguments:
            return NAMED_AFTER_ARGUMENT[name] + default_name(node.arguments[0])
        if name in functions.AGGREGATES:
            return aggregate_name(name, node)
    return ""


AFTER_ARGUMENT = """bin bin_at bin_auto startofday tostring tolong toint toreal tobool todatetime totimespan toguid
    todynamic abs ceiling round sqrt exp exp2 exp10 log log2 log10 pow gamma loggamma sin cos tan asin acos atan atan2
    rand binary_and binary_or binary_xor binary_not binary_shift_left binary_shift_right bitset_count_ones format_bytes
    series_fir series_iir series_outliers split tohex parse_csv parse_xml
    series_fill_backward series_fill_forward series_fill_const series_fill_linear"""


PAIRED = frozenset(["covariance", "covarianceif", "covariancep", "covariancepif"])


NAMED_AFTER_ARGUMENT = {
    "repeat": "repeat_",
    "percentile_tdigest": "percentile_tdigest_",
    "strlen": "strlen_",
    "string_size": "string_size_",
} | dict.fromkeys(AFTER_ARGUMENT.split(), "")
"""Function -> what stands before its first argument's name in the name of an unnamed column."""


def aggregate_name(name: str, node: syntax.Call) -> str:
    """Return Kusto's default name of an aggregate such as ``count_`` or ``percentile_x_95``."""
    first = default_name(node.arguments[0]) if node.arguments else ""
    if name in functions.WINDOWS:
        return ""
    if name in {"take_any", "take_anyif", "arg_max", "arg_min"}:
        return f"any_{first}" if node.name in {"any", "anyif"} else first
    if name in PAIRED:
        return "_".join([name, *map(default_name, node.arguments[:2])])
    prefix = {
        "make_list": "list",
        "make_set": "set",
        "make_bag": "bag",
        "make_list_if": "list",
        "make_set_if": "set",
        "buildschema": "schema",
    }.get(name, name)
    if name == "percentile" and len(node.arguments) > 1 and isinstance(node.arguments[1], syntax.Literal):
        return f"percentile_{first}_{node.arguments[1].value}"
    return f"{prefix}_{'' if name == 'countif' else first}"


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
