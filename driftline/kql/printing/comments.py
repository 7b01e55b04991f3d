"""Which step or statement a comment belongs to.

A comment behind code belongs to the step that began last before it; one on a line of its own to the
step it stands within, or else to the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from driftline.kql import syntax
from driftline.kql.tokens import LEXEMES

__all__ = ["placed", "texts"]

OPERATORS = syntax.Operator.__args__
STATEMENTS = syntax.Statement.__args__


def placed(text: str, query: syntax.Query) -> tuple[dict[int, list[str]], list[str]]:
    """Give the comments of each step and statement by the node's ``id``, and those behind all."""
    units = sorted(_units(query), key=lambda unit: unit.span.offset)
    kept: dict[int, list[str]] = {}
    last: list[str] = []
    for offset, comment in _comments(text):
        unit = _unit(text, offset, units)
        (last if unit is None else kept.setdefault(id(unit), [])).append(comment)
    return kept, last


def texts(text: str) -> list[str]:
    """Give all comments of a query, in their order."""
    return [comment for _, comment in _comments(text)]


def _comments(text: str) -> Iterator[tuple[int, str]]:
    for match in LEXEMES.finditer(text):
        if (match["space"] or "").startswith("//"):
            yield match.start(), match[0].rstrip()


def _unit(text: str, offset: int, units: list[syntax.Node]) -> syntax.Node | None:
    before = [unit for unit in units if unit.span.offset < offset]
    line = text[text.rfind("\n", 0, offset) + 1 : offset].strip()
    if before and line and not line.startswith("//"):
        return before[-1]
    following = next((unit for unit in units if unit.span.offset > offset), None)
    around = [unit for unit in before if unit.span.offset + unit.span.length > offset]
    if around and (following is None or following.span.offset > around[-1].span.offset + around[-1].span.length):
        return around[-1]
    return following


def _units(query: syntax.Query) -> Iterator[syntax.Node]:
    yield _source(query.body)
    yield from _within(query)


def _within(node: Any) -> Iterator[syntax.Node]:
    if isinstance(node, tuple):
        for each in node:
            yield from _within(each)
    elif isinstance(node, syntax.Node):
        if isinstance(node, (*OPERATORS, *STATEMENTS)):
            yield node
        if isinstance(node, syntax.Function):
            yield _source(node.body)
        for field in fields(node):
            yield from _within(getattr(node, field.name))


def _source(node: syntax.Expr) -> syntax.Expr:
    return node.source if isinstance(node, syntax.Pipe) else node
