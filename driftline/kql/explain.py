"""The plan of a query as text, for ``driftline hunt --explain``: one line for each node, its inputs indented below.

``T | where n > 3 | count`` prints as::

    aggregate count()
      filter (n > 3)
        table T: n
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from driftline import clock
from driftline.kql import functions
from driftline.kql.plan import nodes, walk
from driftline.kql.plan.nodes import Plan, Scalar
from driftline.kql.text import constants
from driftline.kql.translate import Translation

__all__ = ["outline"]

EPOCH = clock.EPOCH.replace(tzinfo=None)  # isoformat() of a naive time has no UTC offset
LONGEST = 160  # characters of a line's text; the rest is cut off with "…"


def outline(translation: Translation) -> str:
    """Return a query's plan as indented lines; a shared plan is written out at its first use only."""
    return "\n".join(_lines(translation.plan, 0, set()))


def _lines(node: Plan, depth: int, seen: set[str]) -> Iterator[str]:
    text = f"{type(node).__name__.lower()} {_about(node)}".rstrip()
    yield "  " * depth + (text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")
    if isinstance(node, nodes.Shared):
        if node.name in seen:
            return
        seen.add(node.name)
    for each in walk.inputs(node):
        yield from _lines(each, depth + 1, seen)


# The node's own values, without those of its inputs.
def _about(node: Plan) -> str:
    if isinstance(node, nodes.Table):
        return f"{node.name}: {', '.join(column.name for column in node.columns)}"
    if isinstance(node, nodes.Shared):
        return node.name
    kind = f"{node.kind} " if isinstance(node, nodes.Join) else ""
    return kind + ", ".join(_text(value) for value in walk.scalars(node))


def _text(value: Scalar) -> str:
    if isinstance(value, nodes.Const):
        return _constant(value.type, value.value)
    if isinstance(value, nodes.Col):
        return value.id
    parts = [_text(each) if not isinstance(each, Plan) else "…" for each in walk.parts(value)]
    if isinstance(value, nodes.Call) and (symbol := functions.find(value.function).symbol):
        return f"({f' {symbol} '.join(parts)})"
    name = value.function.removesuffix("_of_few") if isinstance(value, nodes.Call) else type(value).__name__.lower()
    return f"{name}({', '.join(parts)})"


# Datetimes are microseconds since 1970, timespans ticks of 100 ns.
def _constant(kind: str, value: Any) -> str:
    if value is None:
        return "null"
    if kind == "datetime":
        return (EPOCH + datetime.timedelta(microseconds=value)).isoformat()
    if kind == "timespan":
        return constants.timespan_text(value)
    return constants.dumps(value) if kind == "string" else str(value)
