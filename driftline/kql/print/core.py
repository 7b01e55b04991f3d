"""Print pipelines, lists and brackets.

A pipeline has a step a line; lists longer than ``WIDEST`` have an item a line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from driftline.kql import syntax
from driftline.kql.print.names import block, indented, named, value_of
from driftline.kql.print.precedence import OR, PIPE, POSTFIX, is_head, level, source_of
from driftline.kql.syntax import Expr, Operator

__all__ = ["WIDEST", "Form", "Printer"]

WIDEST = 100
"""Characters of a list on one line; a longer list has each item on a line of its own."""
Form = Callable[["Printer", Any], str]
"""Prints one kind of node."""


class Printer:
    """A printer of nodes, by a table of functions: kind of node -> function that prints it."""

    def __init__(self, forms: Mapping[type, Form], kept: Mapping[int, Sequence[str]]) -> None:
        """Take the table, and the comments to print above a node by the node's ``id``."""
        self.forms = forms
        self.kept = kept

    def query(self, query: syntax.Query) -> str:
        """Write a query."""
        return self.lines(query.statements, query.body)

    def lines(self, statements: Iterable[syntax.Statement], body: Expr) -> str:
        """Write statements and an expression, each on lines of its own."""
        parts = [self.noted(each) + self.forms[type(each)](self, each) + ";" for each in statements]
        return "\n".join([*parts, self.pipeline(body)])

    def noted(self, node: syntax.Node) -> str:
        """Write the comments that stand above a node."""
        return "".join(line + "\n" for line in self.kept.get(id(node), ()))

    # Pipelines

    def pipeline(self, node: Expr) -> str:
        """Write a pipeline, a step a line, with the comments of its source."""
        return self.noted(source_of(node)) + self.steps(node)

    def steps(self, node: Expr) -> str:
        """Write the source and the steps of a pipeline."""
        if not isinstance(node, syntax.Pipe):
            return self.expr(node)
        # The source needs brackets if it is a junction or looser, unless its keyword makes it a source.
        rest = (self.noted(each) + "| " + self.operator(each) for each in node.operators)
        return "\n".join([self.expr(node.source, OR if not is_head(node.source) else PIPE), *rest])

    def operator(self, node: Operator) -> str:
        """Write one operator."""
        return self.forms[type(node)](self, node)

    def inner(self, node: Expr) -> str:
        """Write the contents of brackets: a pipeline with several steps on lines of its own."""
        broken = isinstance(node, syntax.Pipe) or id(source_of(node)) in self.kept
        return block(self.pipeline(node)) if broken else self.expr(node)

    def body(self, operators: tuple[Operator, ...]) -> str:
        """Write the operators of partition or mv-apply in brackets."""
        first, *rest = operators
        lines = [
            self.noted(first) + self.operator(first),
            *(self.noted(each) + "| " + self.operator(each) for each in rest),
        ]
        return "(" + block("\n".join(lines)) + ")"

    # Lists

    def many(self, items: Iterable[Any], write: Callable[[Any], str] | None = None) -> str:
        """Write items separated by commas, each on a line of its own if they are too long for one line."""
        parts = [(write or self.expr)(item) for item in items]
        line = ", ".join(parts)
        if len(line) <= WIDEST or len(parts) == 1:
            return line
        return indented("\n" + ",\n".join(parts))

    def sole(self, items: Sequence[Expr]) -> Callable[[Expr], str]:
        """Return how to write items: a pipeline beside others needs brackets, or its last step would take them in."""
        return self.inner if len(items) == 1 else self.value

    def typed(self, column: syntax.TypedName) -> str:
        """Write ``name: type``."""
        return f"{named(column.name)}: {column.type}"

    def settings(self, parameters: Iterable[syntax.Parameter]) -> str:
        """Write an operator's parameters."""
        return "".join(f" {each.name}={value_of(each.value)}" for each in parameters)

    # Expressions

    def expr(self, node: Expr, least: int = PIPE) -> str:
        """Write an expression, in brackets if it binds less than ``least``."""
        if level(node) < least:
            return f"({self.inner(node)})"
        return self.forms[type(node)](self, node)

    def value(self, node: Expr) -> str:
        """Write a scalar expression; a pipeline gets brackets."""
        return self.expr(node, OR)

    def table(self, node: Expr) -> str:
        """Write a table; all but names and calls get brackets."""
        return self.expr(node, POSTFIX)
