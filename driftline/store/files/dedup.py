"""Which rows of each sensor are stored: what makes at-least-once on the wire exactly-once here.

A sensor numbers its rows; a batch is the rows ``first`` to ``last``. Batches come twice, out of
order and overlapping, so what is stored of a stream is a set of ranges. Its numbers have holes,
for a spool drops rows when it is full and begins anew after a restart at the time in
microseconds; so each batch names a ``floor``, below which nothing will ever come, and the ranges
below it become one.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from driftline.errors import InvalidBatch

__all__ = ["Batch", "Plan", "Ranges", "StoredRanges"]

RANGES_MAX = 65_536
"""How many ranges a stream may have: what an outage of hours leaves, if alerts are sent first."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one stream, in the tables' order; the first has the number ``first``."""

    stream: str
    first: int
    floor: int
    tables: Mapping[str, pa.Table]

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(rows.num_rows for rows in self.tables.values())

    @property
    def size(self) -> int:
        """How many bytes it takes in memory."""
        return sum(rows.nbytes for rows in self.tables.values())


class Ranges:
    """A set of whole numbers as ranges, both ends included."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in ranges:
            self.add(first, last)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self._firsts, self._lasts, strict=True))

    def __len__(self) -> int:
        return len(self._firsts)

    def copy(self) -> Ranges:
        """Give a set of its own with the same numbers."""
        twin = Ranges()
        twin._firsts, twin._lasts = self._firsts.copy(), self._lasts.copy()
        return twin

    def add(self, first: int, last: int) -> None:
        """Add the numbers from ``first`` to ``last``; none if ``last`` is less."""
        if last < first:
            return
        low = bisect.bisect_left(self._lasts, first - 1)
        high = bisect.bisect_right(self._firsts, last + 1)
        if low < high:
            first, last = min(first, self._firsts[low]), max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]

    def missing(self, first: int, last: int) -> list[tuple[int, int]]:
        """Give the ranges between ``first`` and ``last`` that are not in the set."""
        gaps = []
        low = bisect.bisect_left(self._lasts, first)
        for known_first, known_last in zip(self._firsts[low:], self._lasts[low:], strict=True):
            if known_first > last:
                break
            if known_first > first:
                gaps.append((first, known_first - 1))
            first = known_last + 1
        return [*gaps, (first, last)] if first <= last else gaps

    def raise_floor(self, floor: int) -> None:
        """Take all numbers below ``floor`` as known."""
        if self._firsts and floor > self._firsts[0]:
            self.add(self._firsts[0], floor - 1)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write for some batches: new rows by table, and the ranges they are of."""

    tables: Mapping[str, Sequence[pa.Table]]
    ranges: Sequence[tuple[str, int, int]]
    stored: Sequence[int]
    """Of each batch, how many rows are new."""


class StoredRanges:
    """What is stored of every stream. One thread uses it at a time; ``check`` any thread may."""

    def __init__(self, rows: Iterable[tuple[str, int, int]]) -> None:
        self._streams: dict[str, Ranges] = {}
        for stream, first, last in rows:
            self._ranges(stream).add(first, last)

    def plan(self, batches: Sequence[Batch]) -> Plan:
        """Say what of some batches is to be stored; nothing changes before ``keep``."""
        tables: dict[str, list[pa.Table]] = {}
        planned: list[tuple[str, int, int]] = []
        drafts: dict[str, Ranges] = {}
        stored = []
        for batch in batches:
            draft = drafts.get(batch.stream) or self._ranges(batch.stream).copy()
            drafts[batch.stream] = draft
            gaps = draft.missing(batch.first, batch.first + batch.rows - 1)
            for first, last in gaps:
                _collect(batch, first, last, tables)
                planned.append((batch.stream, first, last))
                draft.add(first, last)
            stored.append(sum(last - first + 1 for first, last in gaps))
        return Plan(tables, planned, stored)

    def commit(self, plan: Plan, batches: Sequence[Batch]) -> None:
        """Take a plan as done."""
        for stream, first, last in plan.ranges:
            self._ranges(stream).add(first, last)
        for batch in batches:
            self._ranges(batch.stream).raise_floor(batch.floor)

    def check(self, stream: str) -> None:
        """Raise ``InvalidBatch`` if a stream has too many holes to remember."""
        if len(self._streams.get(stream, _NOTHING)) >= RANGES_MAX:
            raise InvalidBatch(f"the sensor's rows have {RANGES_MAX} holes; expected the oldest to be sent first")

    def rows(self) -> list[tuple[str, int, int]]:
        """Give all ranges, to be written anew."""
        return [(stream, first, last) for stream, ranges in self._streams.items() for first, last in ranges]

    def _ranges(self, stream: str) -> Ranges:
        return self._streams.setdefault(stream, Ranges())


_NOTHING = Ranges()


def _collect(batch: Batch, first: int, last: int, tables: dict[str, list[pa.Table]]) -> None:
    start = batch.first
    for name, rows in batch.tables.items():
        low, high = max(first, start), min(last, start + rows.num_rows - 1)
        if low <= high:
            tables.setdefault(name, []).append(rows.slice(low - start, high - low + 1))
        start += rows.num_rows
