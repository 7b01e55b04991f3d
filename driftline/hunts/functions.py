"""Saved hunts as functions of other hunts; pure.

A hunt that names a saved one gets it as a ``let`` statement before its own text, and what that one
names before it. Run by its own name, a saved hunt declares its parameters as query parameters.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from driftline import kql
from driftline.errors import InvalidInput, InvalidQuery, Problem
from driftline.events import TABLES
from driftline.kql import functions as builtin
from driftline.kql import parse, syntax
from driftline.kql.text.problems import Problems
from driftline.kql.text.tokens import Kind, tokenize

__all__ = ["Composed", "Saved", "check", "composed"]

_SCHEMA = {table.name: {column.name: column.type for column in table.columns} for table in TABLES.values()}
_TAKEN = (
    {*_SCHEMA, *builtin.FUNCTIONS, *builtin.AGGREGATES, *builtin.ALIASES}
    | {name for columns in _SCHEMA.values() for name in columns}
)  # fmt: skip
_SAMPLES = {"bool": "true", "datetime": "2020-01-01", "timespan": "1h", "dynamic": "{}", "string": "",
            "guid": "74be27de-1e4e-49d9-b579-fe0b331d3642"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved hunt: its name, its parameters as KQL declares them (``a: string, n: long = 5``), its text."""

    name: str
    text: str
    parameters: str = ""

    @property
    def runnable(self) -> str:
        """The text as a hunt of its own."""
        return f"{self._declared()}{self.text}"

    def _declared(self) -> str:
        return f"declare query_parameters({self.parameters});\n" if self.parameters else ""

    @property
    def statement(self) -> str:
        """The text as a ``let`` statement."""
        return f"{self._head}{self.text.rstrip().removesuffix(';')}\n}};\n"

    @property
    def _head(self) -> str:
        return f"let {self.name} = ({self.parameters}) {{\n"


@dataclass(frozen=True, slots=True)
class Composed:
    """A hunt with the saved hunts it names before it, and where each begins, in characters."""

    text: str
    begins: tuple[tuple[int, str], ...]
    """In the order of the text; the last, without a name, is the hunt's own."""

    def placed(self, error: InvalidQuery) -> InvalidQuery:
        """Give the error with its places counted in the text of the saved hunt they are in, its ``source``."""
        return InvalidQuery(*(self._placed(problem) for problem in error.problems))

    def _placed(self, problem: Problem) -> Problem:
        if not isinstance(problem, kql.QueryProblem) or not problem.line:
            return problem
        begin, source = next((each for each in reversed(self.begins) if each[0] <= problem.offset), (0, ""))
        before = self.text.count("\n", 0, begin)
        offset, line = problem.offset - begin, problem.line - before
        return dataclasses.replace(problem, offset=offset, line=line, source=source)


def composed(text: str, saved: Mapping[str, Saved]) -> Composed:
    """Put before a hunt what it names of ``saved``; raises ``InvalidQuery`` for one that names itself."""
    parts: list[str] = []
    begins: list[tuple[int, str]] = []
    length = 0
    for each in _ordered(text, saved):
        begins.append((length + each.statement.index("{\n") + 2, each.name))
        parts.append(each.statement)
        length += len(each.statement)
    return Composed("".join([*parts, text]), (*begins, (length, "")))


def check(new: Saved, others: Mapping[str, Saved]) -> None:
    """Raise ``InvalidInput`` or ``InvalidQuery`` for what could not be run, or must not be so named."""
    if new.name in _TAKEN:
        raise InvalidInput(f"name: {new.name!r} is a table, column or function of KQL already")
    if new.name in _named(new.text):
        raise InvalidQuery(f"{new.name!r} names itself")
    whole = composed(new.runnable, {name: each for name, each in others.items() if name != new.name})
    try:
        kql.compiled(whole.text, _SCHEMA, parameters=_samples(new.runnable), discover=_no_rows)
    except InvalidQuery as error:
        raise whole.placed(error) from error
    kql.compiled(f"{new.statement}print 1", _SCHEMA)


# Columns that depend on rows: any will do.
def _no_rows(*_: Any) -> list[tuple[Any, ...]]:
    return []


def _samples(text: str) -> dict[str, str]:
    problems = Problems(text)
    query = parse.Parser(tokenize(text, problems), problems, text).parse_query()
    problems.raise_if_any()
    declared = (each for each in query.statements if isinstance(each, syntax.Declare))
    return {one.name: _SAMPLES.get(str(one.type), "1") for each in declared for one in each.parameters}


# What a hunt names, each after what it names itself.
def _ordered(text: str, saved: Mapping[str, Saved], path: tuple[str, ...] = ()) -> Iterator[Saved]:
    found: dict[str, Saved] = {}
    for name in sorted(_named(text) & saved.keys()):
        if name in path:
            raise InvalidQuery(f"the saved hunts {' and '.join(path)} name each other")
        found |= {each.name: each for each in _ordered(saved[name].text, saved, (*path, name))}
        found[name] = saved[name]
    yield from found.values()


def _named(text: str) -> set[str]:
    tokens = [each for each in tokenize(text, Problems(text)) if each.kind in {Kind.WORD, Kind.QUOTED, Kind.SYMBOL}]
    own = {after.text for word, after in itertools.pairwise(tokens) if word.text == "let"}
    return {each.text for each in tokens if each.kind is not Kind.SYMBOL} - own
