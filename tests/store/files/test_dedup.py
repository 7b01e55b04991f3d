"""Ranges of row numbers: replays, overlaps, holes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline import wire
from driftline.errors import InvalidBatch
from driftline.store.files import dedup
from driftline.store.files.dedup import Batch, Ranges, StoredRanges
from tests.wire import making

pairs = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)))


@given(pairs, st.tuples(st.integers(0, 60), st.integers(0, 60)))
def test_ranges_hold_exactly_the_added_numbers(added: list[tuple[int, int]], asked: tuple[int, int]) -> None:
    ranges, numbers = Ranges(), set[int]()
    for first, last in added:
        ranges.add(first, last)
        numbers.update(range(first, last + 1))
    found = list(ranges)

    assert {number for first, last in found for number in range(first, last + 1)} == numbers
    assert all(later[0] > earlier[1] + 1 for earlier, later in itertools.pairwise(found))
    missing = [number for first, last in ranges.missing(*asked) for number in range(first, last + 1)]
    assert missing == [number for number in range(asked[0], asked[1] + 1) if number not in numbers]


def test_raising_the_floor_merges_the_ranges_below_it() -> None:
    ranges = Ranges([(10, 12), (20, 22), (30, 32)])
    ranges.raise_floor(25)

    assert list(ranges) == [(10, 24), (30, 32)]


def batch(first: int, *names: str, floor: int = 0) -> Batch:
    health = wire.table("SensorHealth", [making.health()])
    return Batch("s", first, floor, {**making.events(*names), "SensorHealth": health})


def new_rows(known: StoredRanges, *batches: Batch) -> list[list[str | None]]:
    plan = known.plan(batches)
    known.commit(plan, batches)
    return [rows["FileName"].to_pylist() for rows in plan.tables.get("CloudProcessEvents", [])]


def test_only_the_new_rows_of_an_overlapping_batch_are_planned() -> None:
    known = StoredRanges([("s", 3, 4)])

    assert new_rows(known, batch(1, "1", "2", "3", "4", "5")) == [["1", "2"], ["5"]]
    assert known.rows() == [("s", 1, 6)]
    assert new_rows(known, batch(1, "1", "2", "3", "4", "5")) == []


def test_a_repeated_batch_within_one_commit_counts_once() -> None:
    known = StoredRanges([])
    plan = known.plan([batch(1, "a"), batch(1, "a"), batch(3, "b")])

    assert list(plan.stored) == [2, 0, 2]
    assert known.rows() == []


def test_a_stream_with_too_many_holes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dedup, "RANGES_MAX", 2)
    known = StoredRanges([("s", 1, 1), ("s", 3, 3)])
    with pytest.raises(InvalidBatch, match="2 holes"):
        known.check("s")
    known.check("t")
