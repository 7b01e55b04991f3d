"""Which terms a row must have for a hunt to want it, as far as the conditions say; changes nothing.

Whoever knows which terms some stored rows have can leave out those that lack them: the answer is
the same, for the conditions stay.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Call, Col, Column, Const, Filter, Plan, Scalar, Table
from driftline.kql.text.terms import plain_terms

__all__ = ["ANY_ROW", "All", "Either", "Need", "Term", "needed_terms"]


@dataclass(frozen=True, slots=True)
class Term:
    """A stored column has a term (lower-case letters and digits)."""

    column: str
    term: str


@dataclass(frozen=True, slots=True)
class All:
    """All of these; of none of them: any row."""

    parts: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True)
class Either:
    """One of these, at least."""

    parts: tuple[Need, ...]


Need = Term | All | Either
ANY_ROW = All()

# Where a term begins and ends for sure, in the text that is looked for: at its beginning, at its end.
BOUNDS = {
    "==filter": (True, True),
    "==string": (True, True),
    "=~": (True, True),
    "in": (True, True),
    "infilter": (True, True),
    "has": (True, True),
    "has_cs": (True, True),
    "has_of_few": (True, True),
    "contains": (False, False),
    "contains_cs": (False, False),
    "startswith": (True, False),
    "startswith_cs": (True, False),
    "endswith": (False, True),
    "endswith_cs": (False, True),
}
TERMS = frozenset(["term", "term_cs", "term_of_few"])
MOST_CHOICES = 200
# As a number may be written in JSON, and then be read and written anew.
NUMBER = re.compile(r"\d*e?\d*")
CASES = frozenset(["tolower", "toupper"])
PROPERTIES = frozenset(["member", "element"])


def needed_terms(node: Plan) -> dict[str, Need]:
    """Give what a hunt needs of the rows of each table it reads, by the table's name."""
    parts = list(walk.nodes(node))
    filters = {id(part.input): part.predicate for part in parts if isinstance(part, Filter)}
    found: dict[str, list[Need]] = {}
    for part in parts:
        if isinstance(part, Table):
            predicate = filters.get(id(part))
            need = ANY_ROW if predicate is None else _of_condition(predicate, part)
            found.setdefault(part.name, []).append(need)
    return {name: _either(needs) for name, needs in found.items()}


def _of_condition(value: Scalar, table: Table) -> Need:
    if not isinstance(value, Call):
        return ANY_ROW
    if value.function == "and":
        return _all([_of_condition(arg, table) for arg in value.args])
    if value.function == "or":
        return _either([_of_condition(arg, table) for arg in value.args])
    return _of_match(value, table)


def _of_match(value: Call, table: Table) -> Need:
    bounds = _bounds(value)
    column = _column(value.args[0], table) if bounds else None
    if bounds is None or column is None:
        return ANY_ROW
    choices = value.args[1:] if value.function in {"in", "infilter"} else value.args[-1:]
    if len(choices) > MOST_CHOICES:
        return ANY_ROW
    return _either([_of_text(choice, column, bounds) for choice in choices])


# The terms of a property's text are terms of the whole JSON text as well, but for how it writes numbers.
def _column(text: Scalar, table: Table) -> Column | None:
    while isinstance(text, Call) and text.function in CASES:
        text = text.args[0]
    if isinstance(text, Call) and text.function == "tostring":
        text = text.args[0]
        while isinstance(text, Call) and text.function in PROPERTIES:
            text = text.args[0]
    if not isinstance(text, Col) or text.type not in {"string", "dynamic"}:
        return None
    return next((column for column in table.columns if column.id == text.id), None)


def _bounds(value: Call) -> tuple[bool, bool] | None:
    if value.function not in TERMS:
        return BOUNDS.get(value.function)
    pattern = value.args[1]
    assert isinstance(pattern, Const)
    return pattern.value.removeprefix("(?i)").startswith("(?:^|"), pattern.value.endswith(")")


def _of_text(choice: Scalar, column: Column, bounds: tuple[bool, bool]) -> Need:
    if not isinstance(choice, Const) or not isinstance(choice.value, str):
        return ANY_ROW
    terms = plain_terms(choice.value, begins=bounds[0], ends=bounds[1])
    return _all([Term(column.name, term) for term in terms if column.type == "string" or not NUMBER.fullmatch(term)])


def _all(parts: Sequence[Need]) -> Need:
    asked = tuple(part for part in parts if part != ANY_ROW)
    return asked[0] if len(asked) == 1 else All(asked)


def _either(parts: Sequence[Need]) -> Need:
    if ANY_ROW in parts:
        return ANY_ROW
    return parts[0] if len(parts) == 1 else Either(tuple(parts))
