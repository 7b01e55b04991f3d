"""Values from outside for what a query declares with ``declare query_parameters``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from driftline.kql import syntax
from driftline.kql.plan.nodes import Const
from driftline.kql.text import constants
from driftline.kql.text.problems import Problems, Span, suggestion

__all__ = ["given"]


def given(query: syntax.Query, values: Mapping[str, str], problems: Problems) -> dict[str, Const]:
    """Give the constants that values stand for; notes those that are wrong or not asked for."""
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


def _number(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def number(text: str) -> Any:
        try:
            return read(text)
        except ValueError:
            return None

    return number


def _long(text: str) -> int:
    value = int(text, 0)
    if not -(2**63) <= value < 2**63:
        raise ValueError(text)
    return value


def _dynamic(text: str) -> str:
    return constants.dumps(json.loads(text))


READERS: dict[str, Callable[[str], Any]] = {
    "string": lambda text: None if "\0" in text else text,
    "guid": lambda text: text,
    "long": _number(_long),
    "int": _number(_long),
    "real": _number(float),
    "bool": lambda text: {"true": True, "false": False}.get(text.casefold()),
    "datetime": constants.datetime_us,
    "timespan": constants.timespan_ticks,
    "dynamic": _number(_dynamic),
}
