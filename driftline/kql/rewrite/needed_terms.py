"""Analysis: the terms that a row must contain to pass a query's conditions. Changes nothing.

::

    T | where s has "/etc/shadow" and a > 1   →   All(Term("s", "etc"), Term("s", "shadow"))
    T | where s in ("nc", "ncat")             →   Either(Term("s", "nc"), Term("s", "ncat"))
    T | where s !has "nc"                     →   ANY_ROW

The store has an index of the terms in each Parquet file
(``docs/explanation/decisions/031-an-index-of-terms.md``) and skips files without a needed term. The conditions stay in
the SQL, so a need that is too weak costs time only; a need that is too strong would lose rows. Everything that is not
understood is therefore ``ANY_ROW``.

Precondition: filters are right above the tables, so it runs on the rewritten plan.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from driftline.kql import functions
from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Call, Col, Column, Const, Filter, Plan, Scalar, Table
from driftline.kql.text.terms import plain_terms

__all__ = ["ANY_ROW", "All", "Either", "Need", "Term", "needed_terms"]


@dataclass(frozen=True, slots=True)
class Term:
    """Need of a term in a stored column."""

    column: str
    """Name of the stored column."""
    term: str
    """ASCII letters and digits, lower case."""


@dataclass(frozen=True, slots=True)
class All:
    """Need of all parts; without parts, no need: any row."""

    parts: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True)
class Either:
    """Need of at least one part."""

    parts: tuple[Need, ...]


Need = Term | All | Either
ANY_ROW = All()
"""No term is needed."""

MOST_CHOICES = 200  # of ``in``; a longer list needs any row
# Numbers within JSON have more than one spelling (1e5, 100000), so their terms in the stored text are unknown.
NUMBER = re.compile(r"\d*e?\d*")


def needed_terms(node: Plan) -> dict[str, Need]:
    """Return the need of the rows of each table that a plan reads, by table name.

    Of a table that is read twice, a row is needed if either use needs it.
    """
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


# A comparison or search with constants; ``in`` has its choices behind the first argument, the others one text.
def _of_match(value: Call, table: Table) -> Need:
    bounds = _bounds(value)
    column = _column(value.args[0], table) if bounds else None
    if bounds is None or column is None:
        return ANY_ROW
    choices = value.args[1:] if functions.find(value.function).any_of else value.args[-1:]
    if len(choices) > MOST_CHOICES:
        return ANY_ROW
    return _either([_of_text(choice, column, bounds) for choice in choices])


# The stored column that a searched text comes from. The terms of a property's text (``d.user.name``) are terms of the
# whole JSON text as well, except numbers, see ``NUMBER``.
def _column(text: Scalar, table: Table) -> Column | None:
    while isinstance(text, Call) and functions.find(text.function).changes_case_only:
        text = text.args[0]
    if isinstance(text, Call) and text.function == "tostring":
        text = text.args[0]
        while isinstance(text, Call) and functions.find(text.function).reads_property:
            text = text.args[0]
    if not isinstance(text, Col) or text.type not in {"string", "dynamic"}:
        return None
    return next((column for column in table.columns if column.id == text.id), None)


# ``term`` and its variants (``hasprefix``, ``hassuffix``, ``has`` of a word with separators at its ends) show in their
# pattern whether they ask for a boundary.
def _bounds(value: Call) -> tuple[bool, bool] | None:
    bounds = functions.find(value.function).term_bounds
    if bounds != "pattern":
        return bounds
    pattern = value.args[1]
    assert isinstance(pattern, Const)
    return pattern.value.removeprefix("(?i)").startswith("(?:^|"), pattern.value.endswith(")")


def _of_text(choice: Scalar, column: Column, bounds: tuple[bool, bool]) -> Need:
    if not isinstance(choice, Const) or not isinstance(choice.value, str):
        return ANY_ROW
    terms = plain_terms(choice.value, begins=bounds[0], ends=bounds[1])
    return _all([Term(column.name, term) for term in terms if column.type == "string" or not NUMBER.fullmatch(term)])


def _all(parts: Sequence[Need]) -> Need:
    needs = tuple(part for part in parts if part != ANY_ROW)
    return needs[0] if len(needs) == 1 else All(needs)


def _either(parts: Sequence[Need]) -> Need:
    if ANY_ROW in parts:
        return ANY_ROW
    return parts[0] if len(parts) == 1 else Either(tuple(parts))
