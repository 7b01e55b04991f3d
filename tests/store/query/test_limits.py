"""Bounds of a hunt that need no store."""

from __future__ import annotations

import pytest

from driftline import errors
from driftline.store import hunt
from driftline.store.query.limits import HuntRecord, Limits


def test_memory_is_bounded() -> None:
    wide = "range a from 1 to 3000000 step 1 | summarize make_list(strcat('some text that takes space ', a))"

    with pytest.raises(errors.StoreError, match="more than 128 MiB of memory"):
        hunt(wide, {}, limits=Limits(memory=128, disk=1))


def test_what_does_not_fit_into_memory_goes_to_disk() -> None:
    wide = "range a from 1 to 2000000 step 1 | summarize count() by s = strcat('some text that takes space ', a)"

    assert hunt(f"{wide} | count", {}, limits=Limits(memory=256, threads=1)).to_pydict() == {"Count": [2_000_000]}


def test_the_answers_size_is_bounded() -> None:
    with pytest.raises(errors.StoreError, match="larger than 1 MiB"):
        hunt("range a from 1 to 400000 step 1", {}, limits=Limits(size=1))


def test_a_hunt_over_given_tables_is_in_the_trail() -> None:
    trail: list[HuntRecord] = []
    hunt("print a = 1", {}, on_hunt=trail.append)

    assert [(told.text, told.rows, told.clusters, told.error) for told in trail] == [("print a = 1", 1, None, "")]
