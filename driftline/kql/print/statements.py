"""Print statements and functions.

https://learn.microsoft.com/kusto/query/let-statement
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form, Printer
from driftline.kql.print.names import block, indented, named, value_of

__all__ = ["FORMS"]


def function(to: Printer, node: syntax.Function) -> str:
    """Write a function: parameters, statements and expression."""
    parameters = ", ".join(parameter(to, each) for each in node.parameters)
    view = "view " if node.view else ""
    return f"{view}({parameters}) {{{block(to.lines(node.statements, node.body))}}}"


def parameter(to: Printer, node: syntax.FunctionParameter) -> str:
    """Write a parameter with its type or columns, and its default."""
    if node.columns is not None:
        return f"{named(node.name)}: ({', '.join(map(to.typed, node.columns)) or '*'})"
    default = f" = {to.value(node.default)}" if node.default is not None else ""
    return f"{named(node.name)}: {node.type}{default}"


def let(to: Printer, node: syntax.Let) -> str:
    """Write a let statement."""
    value = to.expr(node.value)
    return f"let {named(node.name)} = {indented(value) if isinstance(node.value, syntax.Pipe) else value}"


def declare(to: Printer, node: syntax.Declare) -> str:
    """Write ``declare query_parameters (…)``."""
    return f"declare query_parameters ({', '.join(parameter(to, each) for each in node.parameters)})"


def setting(to: Printer, node: syntax.Set) -> str:
    """Write a set statement."""
    value = to.expr(node.expression) if node.expression else value_of(node.value) if node.value else ""
    return f"set {node.name} = {value}" if value else f"set {node.name}"


FORMS: dict[type, Form] = {
    syntax.Let: let,
    syntax.Declare: declare,
    syntax.Set: setting,
    syntax.Function: function,
}
