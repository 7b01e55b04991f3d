"""Modes of all files that a server writes, whatever the umask that it was started with."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import serving


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def loose(directory: Path) -> list[str]:
    return sorted(str(path) for path in (directory, *directory.rglob("*")) if path.lstat().st_mode & 0o077)


def loosen(directory: Path) -> None:
    for path in (directory, *directory.rglob("*")):
        path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o055)


@pytest.mark.parametrize("sensors", [True, False])
def test_files_are_private_and_looser_ones_of_earlier_servers_become_so(
    tmp_path: Path, *, sensors: bool, no_umask: None
) -> None:
    places = [tmp_path / "deep" / "data", *([tmp_path / "deep" / "store"] if sensors else [])]
    with serving.serve(tmp_path / "deep", sensors=sensors) as served:
        served.user("ada", "viewer")
        assert [each for place in places for each in loose(place)] == []
        assert serving.stop(served.process) == 0
    for place in places:
        loosen(place)
    process = serving.start(tmp_path / "deep", *(("--set", "sensor_names=localhost") if sensors else ()))
    try:
        log = tmp_path / "deep" / "log"
        told = "could be read by other users of this machine"
        serving.wait_until(lambda: log.read_text().count(told) == len(places))
        serving.wait_until(lambda: not [each for place in places for each in loose(place)])
    finally:
        serving.stop(process)
