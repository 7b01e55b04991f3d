"""Limits of hunts that need no store."""

from __future__ import annotations

import pytest

from driftline import errors
from driftline.store import hunt
from driftline.store.query.limits import HuntRecord, Limits


def test_a_hunt_over_the_memory_limit_is_an_error() -> None:
    wide = "range a from 1 to 3000000 step 1 | summarize make_list(strcat('some text that takes space ', a))"

    with pytest.raises(errors.StoreError, match="more than 128 MiB of memory"):
        hunt(wide, {}, limits=Limits(memory=128, disk=1))


def test_a_hunt_spills_to_disk_beyond_its_memory() -> None:
    wide = "range a from 1 to 2000000 step 1 | summarize count() by s = strcat('some text that takes space ', a)"

    assert hunt(f"{wide} | count", {}, limits=Limits(memory=256, threads=1)).to_pydict() == {"Count": [2_000_000]}


def test_an_answer_over_the_size_limit_is_an_error() -> None:
    with pytest.raises(errors.StoreError, match="larger than 1 MiB"):
        hunt("range a from 1 to 400000 step 1", {}, limits=Limits(size=1))


def test_a_hunt_over_input_tables_is_recorded() -> None:
    trail: list[HuntRecord] = []
    hunt("print a = 1", {}, on_hunt=trail.append)

    assert [(told.text, told.rows, told.clusters, told.error) for told in trail] == [("print a = 1", 1, None, "")]
