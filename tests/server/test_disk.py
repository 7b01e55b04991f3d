"""The marks of the space that is left on a disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.server.disk import Space
from tests.disks import Disk, needs_root, small_disk

pytestmark = needs_root


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk", 80) as mounted:
        yield mounted


def test_a_small_disk_is_low_at_a_tenth_and_refused_at_an_eightieth(disk: Disk) -> None:
    space = Space([disk.path / "made" / "later"], low=1 << 40)
    assert (space.warning(), space.refusal()) == ("", "")
    disk.fill(leave=7 << 20)
    assert "KiB are left on the disk, expected at least 8192" in space.warning()
    assert space.refusal() == ""
    assert "expected at least 9216" in space.refusal(needed=8 << 20)
    disk.empty()
    disk.fill(leave=500 << 10)
    assert "expected at least 1024" in space.refusal()
    disk.empty()
    assert (space.warning(), space.refusal()) == ("", "")


def test_a_smaller_mark_counts_on_any_disk_and_none_never(disk: Disk) -> None:
    disk.fill(leave=2 << 20)

    assert Space([disk.path], low=1 << 20).warning() == ""
    assert Space([disk.path], low=3 << 20).warning() != ""
    assert Space([disk.path], low=0).refusal(needed=1 << 40) == ""
    assert Space([disk.path], low=3 << 20).free(disk.path) <= 2 << 20
