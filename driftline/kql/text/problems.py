"""Places in a query, and the list in which everything wrong with it is collected."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from driftline import errors

__all__ = ["Problems", "QueryProblem", "Span", "suggestion"]

MOST = 20  # more complaints help nobody
MOST_NOTED = 200  # before they are brought into order


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the query's text, in characters."""

    offset: int
    length: int

    def to(self, other: Span) -> Span:
        """Give the stretch from here to the end of another."""
        return Span(self.offset, max(other.offset + other.length - self.offset, self.length))


@dataclass(frozen=True, slots=True)
class QueryProblem(errors.Problem):
    """A problem that knows the stretch of the query it is about, in characters."""

    offset: int = 0
    length: int = 0


class Problems:
    """Collect what is wrong with one query, to report it all at once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: dict[tuple[str, int], QueryProblem] = {}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, message: str, span: Span) -> None:
        """Note a problem at a place."""
        if len(self._found) >= MOST_NOTED:
            return
        before = self._text[: span.offset]
        line = before.count("\n") + 1
        column = span.offset - (before.rfind("\n") + 1) + 1
        problem = QueryProblem(message, line, column, "", span.offset, span.length)
        self._found.setdefault((message, span.offset), problem)

    def raise_if_any(self) -> None:
        """Raise ``InvalidQuery`` with everything noted, in the order of the text."""
        if self._found:
            ordered = sorted(self._found.values(), key=lambda problem: problem.offset)
            raise errors.InvalidQuery(*ordered[:MOST])


def suggestion(name: str, known: Iterable[str]) -> str:
    """Give ``; did you mean 'x'?`` if a known name is close, else nothing."""
    by_fold = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold(), by_fold, n=1, cutoff=0.7)
    return f"; did you mean '{by_fold[close[0]]}'?" if close else ""
