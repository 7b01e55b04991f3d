"""Which step or statement a comment belongs to.

A comment behind code belongs to the step that began last before it; one on a line of its own to the
step it stands within, or else to the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from driftline.kql import syntax
from driftline.kql.text.tokens import LEXEMES

__all__ = ["placed", "texts"]


def placed(text: str, query: syntax.Query) -> tuple[dict[int, list[str]], list[str]]:
    """Give the comments of each step and statement by the node's ``id``, and those behind all."""
    units = sorted(_units(query), key=lambda unit: unit.span.offset)
    kept: dict[int, list[str]] = {}
    last: list[str] = []
    around: list[syntax.Node] = []  # the units a comment stands within, and some that have ended
    at = 0
    for offset, comment in _comments(text):
        while at < len(units) and units[at].span.offset < offset:
            around.append(units[at])
            at += 1
        while around and _end(around[-1]) <= offset:
            around.pop()
        behind = units[at - 1] if at and _trails(text, offset) else None
        unit = behind or _unit(around, units[at] if at < len(units) else None)
        (last if unit is None else kept.setdefault(id(unit), [])).append(comment)
    return kept, last


def texts(text: str) -> list[str]:
    """Give all comments of a query, in their order."""
    return [comment for _, comment in _comments(text)]


def _comments(text: str) -> Iterator[tuple[int, str]]:
    for match in LEXEMES.finditer(text):
        if (match["space"] or "").startswith("//"):
            yield match.start(), match[0].rstrip()


def _trails(text: str, offset: int) -> bool:
    """Say whether code stands before a comment on its line."""
    line = text[text.rfind("\n", 0, offset) + 1 : offset].strip()
    return bool(line) and not line.startswith("//")


def _unit(around: list[syntax.Node], following: syntax.Node | None) -> syntax.Node | None:
    within = around and (following is None or following.span.offset > _end(around[-1]))
    return around[-1] if within else following


def _end(unit: syntax.Node) -> int:
    return unit.span.offset + unit.span.length


def _units(query: syntax.Query) -> Iterator[syntax.Node]:
    yield _source(query.body)
    yield from _within(query)


def _within(node: Any) -> Iterator[syntax.Node]:
    if isinstance(node, tuple):
        for each in node:
            yield from _within(each)
    elif isinstance(node, syntax.Node):
        if isinstance(node, (syntax.Operator, syntax.Statement)):
            yield node
        if isinstance(node, syntax.Function):
            yield _source(node.body)
        for field in fields(node):
            yield from _within(getattr(node, field.name))


def _source(node: syntax.Expr) -> syntax.Expr:
    return node.source if isinstance(node, syntax.Pipe) else node
