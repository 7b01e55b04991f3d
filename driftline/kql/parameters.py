"""Values for the parameters that a query declares with ``declare query_parameters``.

https://learn.microsoft.com/kusto/query/query-parameters-statement. A caller gives values as text, the declared
type says how to read them. A value becomes a constant of the plan, never a part of the query's text, so it
cannot change the query's meaning.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from driftline.kql import syntax
from driftline.kql.plan.nodes import Const
from driftline.kql.text import constants
from driftline.kql.text.problems import Problems, Span, suggestion

__all__ = ["parameter_constants"]


def parameter_constants(query: syntax.Query, values: Mapping[str, str], problems: Problems) -> dict[str, Const]:
    """Return the constants of a query's parameters by name, from their values as text.

    Values that do not fit the declared type, and values of undeclared parameters, are added to ``problems``.
    Parameters without a value are left out: the binder uses the default of the declaration.
    """
    declared = {
        parameter.name: parameter
        for statement in query.statements
        if isinstance(statement, syntax.Declare)
        for parameter in statement.parameters
    }
    found = {}
    for name, value in values.items():
        parameter = declared.get(name)
        if parameter is None:
            problems.add(f"the query declares no parameter '{name}'{suggestion(name, declared)}", Span(0, 0))
        else:
            found[name] = _constant(parameter, value, problems)
    return found


def _constant(parameter: syntax.FunctionParameter, text: str, problems: Problems) -> Const:
    kind = str(parameter.type)
    value = READERS[kind](text) if kind in READERS else None
    if value is None:
        problems.add(f"the parameter '{parameter.name}': expected a {kind}, got '{text}'", parameter.span)
    return Const(kind, value)


# A reader that returns None where the other one raises ``ValueError``.
def _or_none(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def value(text: str) -> Any:
        try:
            return read(text)
        except ValueError:
            return None

    return value


# Decimal, or hexadecimal behind ``0x``; 64 bits with a sign, as Kusto's long.
def _long(text: str) -> int:
    value = int(text, 0)
    if not -(2**63) <= value < 2**63:
        raise ValueError(text)
    return value


def _dynamic(text: str) -> str:
    return constants.dumps(json.loads(text))


READERS: dict[str, Callable[[str], Any]] = {
    "string": lambda text: None if "\0" in text else text,  # refused: SQL text cannot hold a zero byte
    "guid": lambda text: text,
    "long": _or_none(_long),
    "int": _or_none(_long),
    "real": _or_none(float),
    "bool": lambda text: {"true": True, "false": False}.get(text.casefold()),
    "datetime": constants.datetime_us,
    "timespan": constants.timespan_ticks,
    "dynamic": _or_none(_dynamic),
}
"""Reader of a value's text by Kusto type: the value as ``Const`` holds it, or None if the text does not fit."""
