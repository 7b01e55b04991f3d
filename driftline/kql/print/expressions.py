"""Print scalar expressions, with the fewest brackets that keep their meaning.

https://learn.microsoft.com/kusto/query/scalar-operators
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.print.core import WIDEST, Form, Printer
from driftline.kql.print.names import LEXED, PLAIN, indented, named
from driftline.kql.print.precedence import AND, COMPARISON, SIGN, level
from driftline.kql.syntax import Expr
from driftline.kql.text import literals

__all__ = ["FORMS"]


def junction(to: Printer, node: syntax.Junction) -> str:
    """Write operands with ``and`` or ``or`` between them."""
    inner = AND if node.op == "or" else COMPARISON
    parts = [to.expr(each, inner) for each in node.operands]
    line = f" {node.op} ".join(parts)
    if len(line) <= WIDEST:
        return line
    return indented(f"\n{node.op} ".join(parts))


def binary(to: Printer, node: syntax.Binary) -> str:
    """Write an operator between two values; operators associate to the left."""
    own = level(node)
    # The right operand needs brackets at the same precedence: a - (b - c).
    return f"{to.expr(node.left, own)} {node.op} {to.expr(node.right, own + 1)}"


def within(to: Printer, node: syntax.In) -> str:
    """Write a membership operator and its list."""
    return f"{to.expr(node.left, COMPARISON)} {node.op} ({to.many(node.items, to.sole(node.items))})"


def between(to: Printer, node: syntax.Between) -> str:
    """Write ``between (low .. high)``."""
    return f"{to.expr(node.left, COMPARISON)} {node.op} ({to.value(node.low)} .. {to.value(node.high)})"


def based(to: Printer, node: Expr) -> str:
    """Write the value that a path leads into; a number gets brackets, since its dot would be read as a fraction."""
    text = to.table(node)
    return f"({text})" if isinstance(node, syntax.Literal) and node.type not in {"string", "dynamic"} else text


def member(to: Printer, node: syntax.Member) -> str:
    """Write ``base.name``."""
    plain = PLAIN.fullmatch(node.name)
    return f"{based(to, node.base)}.{node.name if plain else named(node.name)}"


def call(to: Printer, node: syntax.Call) -> str:
    """Write a call.

    ``datetime(x)`` with a plain argument would be read as a literal, so such a call gets double brackets.
    """
    write = to.sole(node.arguments)
    arguments = to.many(node.arguments, lambda each: argument(to, each, write))
    bare = node.name in LEXED and "(" not in arguments
    return f"{node.name}(({arguments}))" if bare else f"{node.name}({arguments})"


def argument(to: Printer, node: Expr, write: Callable[[Expr], str]) -> str:
    """Write an argument; the name of a named argument is a plain word to the parser, even a reserved one."""
    if isinstance(node, syntax.Named) and len(node.names) == 1:
        return f"{node.names[0]}={to.value(node.value)}"
    return write(node)


def assigned(to: Printer, node: syntax.Named) -> str:
    """Write ``name = value``, ``(a, b) = value``, or a value without names."""
    if not node.names:
        return to.value(node.value)
    names = f"({', '.join(node.names)})" if len(node.names) > 1 else named(node.names[0])
    return f"{names} = {to.value(node.value)}"


FORMS: dict[type, Form] = {
    syntax.Literal: lambda _, node: literals.literal(node.type, node.value),
    syntax.Name: lambda _, node: named(node.name),
    syntax.Star: lambda _, node: f"{node.pattern} {node.order}".rstrip(),
    syntax.Member: member,
    syntax.Index: lambda to, node: f"{based(to, node.base)}[{to.value(node.index)}]",
    syntax.Call: call,
    syntax.Unary: lambda to, node: node.op + to.expr(node.operand, SIGN),
    syntax.Binary: binary,
    syntax.Junction: junction,
    syntax.In: within,
    syntax.Between: between,
    syntax.Named: assigned,
    syntax.TypedName: lambda to, node: to.typed(node),
}
