"""Problems of a query with their positions, collected so that one run reports all of them.

Offsets and lengths count characters (Python code points), not bytes; lines and columns begin at 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from driftline import errors
from driftline.errors import QueryProblem

__all__ = ["Problems", "Span", "suggestion"]

MOST_REPORTED = 20  # a longer list helps no user
MOST_COLLECTED = 200  # more than are reported, because problems are sorted by offset only at the end


@dataclass(frozen=True, slots=True)
class Span:
    """A range of the query's text, in characters."""

    offset: int
    """Index of the first character, from 0."""
    length: int
    """Number of characters; 0 at the end of the query, or if the problem has no position."""

    def to(self, other: Span) -> Span:
        """Return the span from this start to the other's end, or to this end if that is later."""
        return Span(self.offset, max(other.offset + other.length - self.offset, self.length))


class Problems:
    """Collector of the problems of one query.

    The tokenizer, the parser and the binder add to the same collector and go on where they can, so that
    a user sees several mistakes at once.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: dict[tuple[str, int], QueryProblem] = {}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, message: str, span: Span) -> None:
        """Add a problem; a second one with the same message and offset is dropped.

        The body of a user-defined function is bound at each call, so that one mistake would be reported at each.
        """
        if len(self._found) >= MOST_COLLECTED:
            return
        before = self._text[: span.offset]
        line = before.count("\n") + 1
        column = span.offset - (before.rfind("\n") + 1) + 1
        problem = QueryProblem(message, line, column, "", span.offset, span.length)
        self._found.setdefault((message, span.offset), problem)

    def raise_if_any(self) -> None:
        """Raise ``errors.InvalidQuery`` with the first 20 problems in the order of the text, if there are any."""
        if self._found:
            ordered = sorted(self._found.values(), key=lambda problem: problem.offset)
            raise errors.InvalidQuery(*ordered[:MOST_REPORTED])


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the closest known name, empty if none is close.

    Case does not count: ``file`` suggests ``File``. The cutoff is a similarity of 0.7 by
    ``difflib.get_close_matches``, whose default of 0.6 accepts more distant names.
    """
    by_fold = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold(), by_fold, n=1, cutoff=0.7)
    return f"; did you mean '{by_fold[close[0]]}'?" if close else ""
