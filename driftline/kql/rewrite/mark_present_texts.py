"""Find the stored texts that a filter lets through only if they are not null.

Kusto has no null strings, so each stored text is read through a ``coalesce``, which costs as
much as looking for a word in it. Where a condition drops empty texts anyway, a null does as well:
SQL's answer is then null, and a filter takes that for false.
"""

from __future__ import annotations

import dataclasses

from driftline.kql.plan.nodes import Call, Col, Const, Filter, Plan, Scalar, Table
from driftline.kql.plan.walk import bottom_up

__all__ = ["mark_present_texts"]

# Each is false of an empty first argument, and null of null, if all others are constants and not empty.
STRICT = frozenset(
    [
        *("==filter", "==string", "infilter", "=~", "has", "has_cs", "term", "term_cs", "contains", "contains_cs"),
        *("startswith", "startswith_cs", "endswith", "endswith_cs"),
    ]
)


def mark_present_texts(node: Plan) -> Plan:
    """Note at each table which of its texts a filter right above lets through only if they are there."""
    return bottom_up(node, _change)


def _change(node: Plan) -> Plan:
    if not isinstance(node, Filter) or not isinstance(node.input, Table):
        return node
    texts = {column.id for column in node.input.columns if column.type == "string"}
    present = _present(node.predicate) & texts
    return dataclasses.replace(node, input=dataclasses.replace(node.input, present=present)) if present else node


def _present(value: Scalar) -> frozenset[str]:
    """Give the columns without whose text a condition is never true."""
    if not isinstance(value, Call):
        return frozenset()
    if value.function == "and":
        return frozenset().union(*map(_present, value.args))
    if value.function == "or":
        return frozenset.intersection(*map(_present, value.args))
    return _asked(value) if value.function in STRICT else frozenset()


def _asked(value: Call) -> frozenset[str]:
    text, *others = value.args
    if isinstance(text, Call) and text.function in {"tolower", "toupper"}:
        text = text.args[0]
    says = all(isinstance(other, Const) and other.value for other in others)
    return frozenset([text.id]) if says and isinstance(text, Col) else frozenset()
