"""Patterns that many rows share, for ``evaluate autocluster()``, by rules of driftline.

Kusto uses the Seed-Expand algorithm and does not document how it chooses
(https://learn.microsoft.com/kusto/query/autocluster-plugin). Here each of the most frequent rows is a
seed. It drops columns one by one: each time the one whose loss makes the pattern cover most rows.
The best pattern on its way is kept. Its score is the weighted geometric mean of two shares: the
rows that it covers, and the columns that it names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["find_patterns"]

_MOST_ROWS = 20_000  # distinct rows; ``kql`` passes the most frequent ones
_MOST_SEEDS = 100

Pattern = tuple[tuple[int, str], ...]  # columns and their values


@dataclass(frozen=True, slots=True)
class _Rows:
    """Distinct rows of texts and their counts."""

    codes: npt.NDArray[np.int64]
    """Code of each row's text, by row and column."""
    code_of: Sequence[Mapping[str, int]]
    """Code of each text, by column."""
    counts: npt.NDArray[np.int64]
    """Count of each row."""
    weight: float
    """Weight of the share of rows in the score, from 0 to 1."""

    def covered(self, pattern: Pattern) -> int:
        met = np.ones(len(self.counts), bool)
        for place, value in pattern:
            met &= self.codes[:, place] == self.code_of[place][value]
        return int(self.counts[met].sum())

    def score(self, pattern: Pattern) -> float:
        size = self.covered(pattern) / int(self.counts.sum())
        named = len(pattern) / len(self.code_of)
        return float(size**self.weight * named ** (1 - self.weight))


def find_patterns(rows: str | None, weight: float | None, seeds: int | None) -> str:
    """Find patterns in distinct rows of texts.

    ``rows`` is a JSON array of arrays: the texts of a row, then its count. ``weight``, from 0 to 1,
    prefers patterns of more rows to those of more columns (0.5 if None or 0). ``seeds`` is the
    number of seeds (25 if None or 0).

    Returns a JSON array, the best pattern first, of arrays: count, percentage of all rows, and each
    column's text or null. Patterns of one row are left out.
    """
    read = sorted(json.loads(rows or "[]")[:_MOST_ROWS], key=lambda row: (-int(row[-1]), row[:-1]))
    if not read:
        return "[]"
    known = _encode(read, weight or 0.5)
    best = {_best(seed, known) for seed in read[: min(seeds or 25, _MOST_SEEDS)]}
    found = sorted(filter(None, best), key=lambda pattern: (-known.score(pattern), pattern))
    whole = int(known.counts.sum())
    counts = [(known.covered(pattern), pattern) for pattern in found]
    written = [[n, 100 * n / whole, *_cells(pattern, len(known.code_of))] for n, pattern in counts if n > 1]
    return json.dumps(written, ensure_ascii=False)


def _encode(rows: Sequence[Sequence[Any]], weight: float) -> _Rows:
    columns = list(zip(*(row[:-1] for row in rows), strict=True))
    code_of = [{value: code for code, value in enumerate(dict.fromkeys(column))} for column in columns]
    codes = np.array([[known[value] for value in column] for known, column in zip(code_of, columns, strict=True)]).T
    return _Rows(codes, code_of, np.array([int(row[-1]) for row in rows], np.int64), weight)


# An empty text names no column in a pattern, because it could not be told from the wildcard.
def _best(seed: Sequence[str], known: _Rows) -> Pattern:
    pattern: Pattern = tuple((place, value) for place, value in enumerate(seed[:-1]) if value)
    tried = [pattern]
    while len(pattern) > 1:
        pattern = max(_without_one(pattern), key=lambda each: (known.covered(each), each))
        tried.append(pattern)
    return max(tried, key=lambda each: (known.score(each), each))


def _without_one(pattern: Pattern) -> Iterator[Pattern]:
    return (pattern[:place] + pattern[place + 1 :] for place in range(len(pattern)))


def _cells(pattern: Pattern, width: int) -> Sequence[str | None]:
    by_place = dict(pattern)
    return [by_place.get(place) for place in range(width)]
