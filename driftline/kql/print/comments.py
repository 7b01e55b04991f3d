"""Attach comments to steps and statements.

A comment behind code belongs to the step that began last before it; a comment on a line of its own to the step
that it stands within, otherwise to the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from driftline.kql import syntax
from driftline.kql.text.tokens import LEXEMES

__all__ = ["placed", "texts"]


def placed(text: str, query: syntax.Query) -> tuple[dict[int, list[str]], list[str]]:
    """Return the comments of each step and statement by the node's ``id``, and the comments behind all of them."""
    units = sorted(_units(query), key=lambda unit: unit.span.offset)
    kept: dict[int, list[str]] = {}
    last: list[str] = []
    around: list[syntax.Node] = []  # the units a comment stands within, and some that have ended
    at = 0
    for offset, comment in _comments(text):
        while at < len(units) and units[at].span.offset < offset:
            around.append(units[at])
            at += 1
        # Steps nest, and inner ones begin later: those that have ended are on top of the stack.
        while around and _end(around[-1]) <= offset:
            around.pop()
        behind = units[at - 1] if at and _trails(text, offset) else None
        unit = behind or _unit(around, units[at] if at < len(units) else None)
        (last if unit is None else kept.setdefault(id(unit), [])).append(comment)
    return kept, last


def texts(text: str) -> list[str]:
    """Return all comments of a query, in order."""
    return [comment for _, comment in _comments(text)]


def _comments(text: str) -> Iterator[tuple[int, str]]:
    """List the comments of a text with their offsets."""
    for match in LEXEMES.finditer(text):
        if (match["space"] or "").startswith("//"):
            yield match.start(), match[0].rstrip()


def _trails(text: str, offset: int) -> bool:
    """Whether code stands before a comment on its line."""
    line = text[text.rfind("\n", 0, offset) + 1 : offset].strip()
    return bool(line) and not line.startswith("//")


def _unit(around: list[syntax.Node], following: syntax.Node | None) -> syntax.Node | None:
    """Return the step or statement of a comment on a line of its own; ``None`` behind the last one."""
    within = around and (following is None or following.span.offset > _end(around[-1]))
    return around[-1] if within else following


def _end(unit: syntax.Node) -> int:
    """Return the offset behind a step or statement."""
    return unit.span.offset + unit.span.length


def _units(query: syntax.Query) -> Iterator[syntax.Node]:
    """List the nodes that comments may belong to."""
    yield _source(query.body)
    yield from _within(query)


def _within(node: Any) -> Iterator[syntax.Node]:
    """List the operators, statements and bodies of functions in a node."""
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
    """Return the source of a pipeline."""
    return node.source if isinstance(node, syntax.Pipe) else node
