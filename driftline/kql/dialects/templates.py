"""SQL templates of functions: parsing, filling in arguments, and their length."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from sqlglot import exp, parse_one

from driftline.kql.dialects import lambdas, whole_reals
from driftline.kql.functions import find
from driftline.kql.plan.nodes import Call

__all__ = ["filled", "mentions", "template", "template_of"]

LENGTH_BY_CODE = 40
"""Rough length, in characters, of the SQL that code emits for a call, without the arguments."""


def template_of(value: Call, dialect: str) -> str | None:
    """Return the text of the template for a call, None if the dialect has none."""
    sql = find(value.function).template(dialect)
    return sql.get(value.args[0].type, sql.get("*")) if isinstance(sql, Mapping) else sql


def mentions(value: Call, dialect: str) -> tuple[int, list[int]]:
    """Return the length of a call's own SQL in characters, and the number of times that each argument stands in it."""
    sql = template_of(value, dialect)
    if sql is None:
        return LENGTH_BY_CODE, [find(value.function).argument_uses] * len(value.args)
    counts = Counter(re.findall(r"\b_(\w+)", sql))
    return len(sql), [max(counts[str(place)], counts["all"]) for place in range(len(value.args))]


@functools.cache
def template(sql: str, dialect: str) -> exp.Expression:
    """Parse a template; the result is shared, so a caller must not change it."""
    tree: Any = parse_one(sql, dialect=dialect)
    made: Any = lambdas.with_reserved_names(whole_reals.kept(tree) if dialect == "clickhouse" else tree)
    return exp.Paren(this=made) if isinstance(made, (exp.Binary, exp.Unary, exp.Is, exp.Not)) else made


def filled(template: exp.Expression, args: list[exp.Expression]) -> exp.Expression:
    """Return a copy of a template with arguments in the places ``_0``, ``_1`` … and ``_all``."""
    root = exp.Paren(this=template.copy())
    used: set[str] = set()
    for column in list(root.find_all(exp.Column)):
        name = column.name
        if name == "_all":
            column.replace(None) if not args else _splice(column, args)
        elif name[:1] == "_" and name[1:].isdigit():
            arg = args[int(name[1:])]
            column.replace(arg.copy() if name in used else arg)
            used.add(name)
    inner: exp.Expression = root.this.pop()
    return inner


def _splice(column: exp.Expression, args: list[exp.Expression]) -> None:
    parent = column.parent
    assert parent is not None
    if column.arg_key == "expressions":
        parent.set("expressions", args)
    else:  # sqlglot keeps the first argument of least, greatest and coalesce apart from the others
        parent.set(column.arg_key or "this", args[0])
        parent.set("expressions", args[1:])
