"""Patterns that many rows share: what ``evaluate autocluster()`` gives, by rules of our own.

Kusto follows the Seed-Expand algorithm, without saying how it chooses. Here each of the rows met most
is a seed; it drops, one by one, the column whose loss lets the pattern cover most more rows. Of the
patterns on its way the best is kept: by the weighted geometric mean of the rows it covers and of
the columns it tells, as shares.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["find_patterns"]

_MOST_ROWS = 20_000
_MOST_SEEDS = 100

Pattern = tuple[tuple[int, str], ...]  # columns and their values


@dataclass(frozen=True, slots=True)
class _Rows:
    """Distinct rows of texts, with how often each is met."""

    codes: npt.NDArray[np.int64]
    code_of: Sequence[Mapping[str, int]]
    counts: npt.NDArray[np.int64]
    weight: float

    def covered(self, pattern: Pattern) -> int:
        met = np.ones(len(self.counts), bool)
        for place, value in pattern:
            met &= self.codes[:, place] == self.code_of[place][value]
        return int(self.counts[met].sum())

    def score(self, pattern: Pattern) -> float:
        size = self.covered(pattern) / int(self.counts.sum())
        told = len(pattern) / len(self.code_of)
        return float(size**self.weight * told ** (1 - self.weight))


def find_patterns(rows: str | None, weight: float | None, seeds: int | None) -> str:
    """Find patterns in distinct rows of texts, the last of each its count.

    ``weight``, from 0 to 1, prefers patterns of more rows to those of more columns. Gives a JSON
    array of count, percentage, and each column's text or null, the best pattern first.
    """
    read = sorted(json.loads(rows or "[]")[:_MOST_ROWS], key=lambda row: (-int(row[-1]), row[:-1]))
    if not read:
        return "[]"
    known = _known(read, weight or 0.5)
    best = {_best(seed, known) for seed in read[: min(seeds or 25, _MOST_SEEDS)]}
    found = sorted(filter(None, best), key=lambda pattern: (-known.score(pattern), pattern))
    whole = int(known.counts.sum())
    counts = [(known.covered(pattern), pattern) for pattern in found]
    written = [[n, 100 * n / whole, *_cells(pattern, len(known.code_of))] for n, pattern in counts if n > 1]
    return json.dumps(written, ensure_ascii=False)


def _known(rows: Sequence[Sequence[Any]], weight: float) -> _Rows:
    columns = list(zip(*(row[:-1] for row in rows), strict=True))
    code_of = [{value: code for code, value in enumerate(dict.fromkeys(column))} for column in columns]
    codes = np.array([[known[value] for value in column] for known, column in zip(code_of, columns, strict=True)]).T
    return _Rows(codes, code_of, np.array([int(row[-1]) for row in rows], np.int64), weight)


# Empty values make no pattern: they could not be told from the wildcard.
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
    told = dict(pattern)
    return [told.get(place) for place in range(width)]
