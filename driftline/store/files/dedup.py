"""Deduplication of a fleet's rows: delivery at least once on the wire, storage exactly once.

A sensor numbers its rows; a batch is the rows ``first`` to ``last`` of its stream. Batches come
twice, out of order and overlapping, so the stored rows of a stream are a set of ranges of numbers.

The numbers have holes: a full spool drops rows, and after a restart numbering continues at the
time in microseconds. So each batch names a ``floor`` below which no row will come any more,
and all ranges below it become one.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from driftline.errors import InvalidBatch

__all__ = ["Batch", "Plan", "Ranges", "StoredRanges"]

RANGES_MAX = 65_536
"""Most ranges of one stream: enough for an outage of hours after which alerts are sent first."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one stream with consecutive numbers, table after table."""

    stream: str
    """Id of the stream."""
    first: int
    """Number of the first row."""
    floor: int
    """Number below which the sensor will send no row any more."""
    tables: Mapping[str, pa.Table]
    """Rows by table, in the order of their numbers."""

    @property
    def rows(self) -> int:
        """Number of its rows."""
        return sum(rows.num_rows for rows in self.tables.values())

    @property
    def size(self) -> int:
        """Bytes that it takes in memory."""
        return sum(rows.nbytes for rows in self.tables.values())


class Ranges:
    """A set of whole numbers, kept as sorted ranges that neither touch nor overlap; both ends are included.

    Adding and looking up take a binary search, and time for the ranges that are replaced.
    """

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
        """Return an independent set of the same numbers."""
        twin = Ranges()
        twin._firsts, twin._lasts = self._firsts.copy(), self._lasts.copy()
        return twin

    def add(self, first: int, last: int) -> None:
        """Add the numbers from ``first`` to ``last``; none if ``last`` is less than ``first``."""
        if last < first:
            return
        # The ranges that overlap or touch the new one become one with it: those that end at or after first - 1 and
        # begin at or before last + 1.
        low = bisect.bisect_left(self._lasts, first - 1)
        high = bisect.bisect_right(self._firsts, last + 1)
        if low < high:
            first, last = min(first, self._firsts[low]), max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]

    def missing(self, first: int, last: int) -> list[tuple[int, int]]:
        """Return the ranges between ``first`` and ``last`` that are not in the set."""
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
        """Add all numbers from the first range up to ``floor``, exclusive."""
        if self._firsts and floor > self._firsts[0]:
            self.add(self._firsts[0], floor - 1)


@dataclass(frozen=True, slots=True)
class Plan:
    """The rows to write for some batches."""

    tables: Mapping[str, Sequence[pa.Table]]
    """New rows by table."""
    ranges: Sequence[tuple[str, int, int]]
    """Stream, first and last number of each range of new rows."""
    stored: Sequence[int]
    """Number of new rows of each batch."""


class StoredRanges:
    """The numbers stored of every stream.

    One thread uses it at a time, except for ``check``, which any thread may call.
    """

    def __init__(self, rows: Iterable[tuple[str, int, int]]) -> None:
        self._streams: dict[str, Ranges] = {}
        for stream, first, last in rows:
            self._ranges(stream).add(first, last)

    def plan(self, batches: Sequence[Batch]) -> Plan:
        """Plan which rows of some batches are to be stored; nothing changes before ``commit``."""
        tables: dict[str, list[pa.Table]] = {}
        planned: list[tuple[str, int, int]] = []
        drafts: dict[str, Ranges] = {}
        stored = []
        for batch in batches:
            # On a copy of the stream's ranges, so that a repetition within the same batches counts once, and a failed
            # commit leaves no trace.
            draft = drafts.get(batch.stream) or self._ranges(batch.stream).copy()
            drafts[batch.stream] = draft
            gaps = draft.missing(batch.first, batch.first + batch.rows - 1)
            for first, last in gaps:
                _collect(batch, first, last, tables)
                planned.append((batch.stream, first, last))
                draft.add(first, last)
            stored.append(sum(last - first + 1 for first, last in gaps))
        return Plan(tables, planned, stored)

    def has(self, batch: Batch) -> bool:
        """Return whether all rows of a batch are stored."""
        return not self._ranges(batch.stream).missing(batch.first, batch.first + batch.rows - 1)

    def commit(self, plan: Plan, batches: Sequence[Batch]) -> None:
        """Add a plan's ranges, after its rows were committed, and raise the streams' floors."""
        for stream, first, last in plan.ranges:
            self._ranges(stream).add(first, last)
        for batch in batches:
            self._ranges(batch.stream).raise_floor(batch.floor)

    def check(self, stream: str) -> None:
        """Raise ``InvalidBatch`` for a stream with too many holes to remember."""
        if len(self._streams.get(stream, _NOTHING)) >= RANGES_MAX:
            raise InvalidBatch(f"the sensor's rows have {RANGES_MAX} holes; expected the oldest to be sent first")

    def rows(self) -> list[tuple[str, int, int]]:
        """Return stream, first and last number of all ranges, as they are written to the database."""
        return [(stream, first, last) for stream, ranges in self._streams.items() for first, last in ranges]

    def _ranges(self, stream: str) -> Ranges:
        return self._streams.setdefault(stream, Ranges())


_NOTHING = Ranges()


# Numbers run through the batch's tables in their order, so each table has a part of the range.
def _collect(batch: Batch, first: int, last: int, tables: dict[str, list[pa.Table]]) -> None:
    start = batch.first
    for name, rows in batch.tables.items():
        low, high = max(first, start), min(last, start + rows.num_rows - 1)
        if low <= high:
            tables.setdefault(name, []).append(rows.slice(low - start, high - low + 1))
        start += rows.num_rows
