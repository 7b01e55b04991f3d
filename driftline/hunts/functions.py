"""Saved hunts as functions that other hunts may call; pure.

A hunt that refers to saved hunts is composed: each of them, and those to which they refer, is put before
its text as a ``let`` statement, dependencies first. A saved hunt that is run by itself declares its
parameters as query parameters instead.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from driftline import kql
from driftline.errors import InvalidInput, InvalidQuery, Problem, QueryProblem
from driftline.hunts.schema import SCHEMA, VIEWS
from driftline.kql import functions as builtin
from driftline.kql import parse, syntax
from driftline.kql.text.list_names import list_name
from driftline.kql.text.problems import Problems
from driftline.kql.text.tokens import Kind, tokenize
from driftline.kql.translate import MOST_CHARACTERS

__all__ = ["ComposedHunt", "SavedHunt", "check", "compose", "may_refer"]

LISTS = re.compile(r"\b(?:_GetWatchlist|externaldata)\b")
# A saved hunt with the name of a table, column or function would hide it in every query that refers to the hunt.
_RESERVED_NAMES = (
    {*SCHEMA, *VIEWS.tables, *builtin.FUNCTIONS, *builtin.AGGREGATES, *builtin.ALIASES}
    | {name for columns in (*SCHEMA.values(), *VIEWS.columns.values()) for name in columns}
)  # fmt: skip
# Literals of the parameter types, for validation of a saved hunt without arguments; 1 for all numeric types.
_SAMPLE_ARGUMENTS = {"bool": "true", "datetime": "2020-01-01", "timespan": "1h", "dynamic": "{}", "string": "",
            "guid": "74be27de-1e4e-49d9-b579-fe0b331d3642"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SavedHunt:
    """A saved hunt."""

    name: str
    """Name by which other hunts refer to it."""
    text: str
    """The query in KQL."""
    parameters: str = ""
    """Parameters as declared in KQL: ``a: string, n: long = 5``; empty for none."""

    @property
    def query(self) -> str:
        """The hunt as a query of its own, with its parameters as query parameters."""
        return f"{self._declared()}{self.text}"

    def _declared(self) -> str:
        return f"declare query_parameters({self.parameters});\n" if self.parameters else ""

    @property
    def let_statement(self) -> str:
        """The hunt as a ``let`` statement that defines a function, even without parameters."""
        return f"{self._head}{self.text.rstrip().removesuffix(';')}\n}};\n"

    @property
    def _head(self) -> str:
        return f"let {self.name} = ({self.parameters}) {{\n"


@dataclass(frozen=True, slots=True)
class ComposedHunt:
    """A hunt with the saved hunts to which it refers put before it."""

    text: str
    """The whole query."""
    starts: tuple[tuple[int, str], ...]
    """Offset in characters where the text of each saved hunt starts, and its name, in ascending order. The
    last is the hunt itself, with an empty name."""

    def with_source_positions(self, error: InvalidQuery) -> InvalidQuery:
        """Return the error with positions relative to the hunts in which its problems are.

        ``source`` of a problem is the name of the saved hunt, or empty for the hunt itself.
        """
        return InvalidQuery(*(self._with_source_position(problem) for problem in error.problems))

    def _with_source_position(self, problem: Problem) -> Problem:
        if not isinstance(problem, QueryProblem) or not problem.line:
            return problem
        begin, source = next((each for each in reversed(self.starts) if each[0] <= problem.offset), (0, ""))
        before = self.text.count("\n", 0, begin)
        offset, line = problem.offset - begin, problem.line - before
        return dataclasses.replace(problem, offset=offset, line=line, source=source)


def compose(text: str, saved: Mapping[str, SavedHunt]) -> ComposedHunt:
    """Put the saved hunts to which a hunt refers before its text.

    ``saved`` are the saved hunts that the caller may use, by name. Raises ``InvalidQuery`` if saved hunts
    refer to each other in a cycle, or are longer together than a query may be.
    """
    parts: list[str] = []
    starts: list[tuple[int, str]] = []
    length = 0
    for each in _in_dependency_order(text, saved):
        starts.append((length + each.let_statement.index("{\n") + 2, each.name))
        parts.append(each.let_statement)
        length += len(each.let_statement)
    return ComposedHunt("".join([*parts, text]), (*starts, (length, "")))


def may_refer(text: str, saved: Mapping[str, SavedHunt]) -> bool:
    """Return whether the name of a saved hunt occurs in a text; if none does, ``compose`` leaves the text as it is."""
    return any(name in text for name in saved) or bool(LISTS.search(text))


def check(new: SavedHunt, others: Mapping[str, SavedHunt]) -> None:
    """Validate a hunt before it is saved; ``others`` are the saved hunts that it may use, by name.

    Raises ``InvalidInput`` for a reserved name, and ``InvalidQuery`` with positions for a query that does
    not compile or refers to itself.
    """
    if new.name in _RESERVED_NAMES:
        raise InvalidInput(f"name: {new.name!r} is the name of a table, column or function of KQL")
    if new.name in _referenced_names(new.text):
        raise InvalidQuery(f"{new.name!r} refers to itself")
    whole = compose(new.query, {name: each for name, each in others.items() if name != new.name})
    try:
        kql.compiled(whole.text, SCHEMA, parameters=_sample_arguments(new.query), discover=_no_rows, views=VIEWS)
    except InvalidQuery as error:
        raise whole.with_source_positions(error) from error
    # Other hunts use the let statement, which must compile as well.
    kql.compiled(f"{new.let_statement}print 1", SCHEMA, views=VIEWS)


# The columns of some operators depend on rows (pivot, for example). For validation no rows are read.
def _no_rows(*_: Any) -> list[tuple[Any, ...]]:
    return []


def _sample_arguments(text: str) -> dict[str, str]:
    problems = Problems(text)
    query = parse.parse_query(text, problems)
    problems.raise_if_any()
    declared = (each for each in query.statements if isinstance(each, syntax.Declare))
    return {one.name: _SAMPLE_ARGUMENTS.get(str(one.type), "1") for each in declared for one in each.parameters}


# The saved hunts to which a text refers, directly or through others; each after those to which it refers itself. Each
# is read once, however many refer to it, and without recursion, since a chain may be longer than Python's stack.
def _in_dependency_order(text: str, saved: Mapping[str, SavedHunt]) -> Iterator[SavedHunt]:
    path: dict[str, Iterator[str]] = {"": _references(text, saved)}
    done: set[str] = set()
    length = len(text)
    while path:
        name, rest = next(reversed(path.items()))
        following = next((each for each in rest if each not in done), None)
        if following is None:
            del path[name]
            done.add(name)
            if name:
                yield saved[name]
        elif following in path:
            cycle = [*itertools.dropwhile(lambda each: each != following, path)]  # noqa: B023 -- used at once
            raise InvalidQuery(f"the saved hunts {' and '.join(cycle)} refer to each other")
        else:
            length += len(saved[following].let_statement)
            if length > MOST_CHARACTERS:
                raise InvalidQuery(f"expected a query of at most {MOST_CHARACTERS:,} characters with its saved hunts")
            path[following] = _references(saved[following].text, saved)


def _references(text: str, saved: Mapping[str, SavedHunt]) -> Iterator[str]:
    return iter(sorted(_referenced_names(text) & saved.keys()))


# All names in a text except those that it defines itself with let. Names are found by tokens, so that a query
# need not be valid; a name that is not a saved hunt has no effect.
def _referenced_names(text: str) -> set[str]:
    tokens = [each for each in tokenize(text, Problems(text)) if each.kind in {Kind.WORD, Kind.QUOTED, Kind.SYMBOL}]
    own = {after.text for word, after in itertools.pairwise(tokens) if word.text == "let"}
    return ({each.text for each in tokens if each.kind is not Kind.SYMBOL} | _listed_names(text)) - own


# Lists stand in strings: _GetWatchlist('high-value'), externaldata (…) ["https://example.com/high-value.csv"].
def _listed_names(text: str) -> set[str]:
    if not LISTS.search(text):
        return set()
    return {list_name(each.text) for each in tokenize(text, Problems(text)) if each.kind is Kind.STRING}
