"""Files that only their owner may read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from driftline.private_files import tighten


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def made(path: Path, bits: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    path.chmod(bits)
    return path


def test_matching_files_and_directories_lose_the_rights_of_others(tmp_path: Path) -> None:
    files = [made(tmp_path / "state.db", 0o644), made(tmp_path / "cold" / "a" / "b.parquet", 0o666)]
    other = made(tmp_path / "notes.txt", 0o644)
    (tmp_path / "cold").chmod(0o755)
    tmp_path.chmod(0o755)

    assert tighten(tmp_path, ("state.db*", "cold")) == 5
    assert [mode(path) for path in files] == [0o600, 0o600]
    assert [mode(tmp_path), mode(tmp_path / "cold"), mode(tmp_path / "cold" / "a")] == [0o700, 0o700, 0o700]
    assert mode(other) == 0o644
    assert tighten(tmp_path, ("state.db*", "cold")) == 0


def test_the_change_is_logged_with_an_example(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made(tmp_path / "state.db", 0o644)
    tmp_path.chmod(0o700)
    tighten(tmp_path)

    assert caplog.messages == [
        f"{tmp_path}/state.db could be read by other users of this machine; now only by the owner"
    ]


def test_links_shared_directories_and_pipes_are_left_alone(tmp_path: Path) -> None:
    outside = made(tmp_path / "outside" / "file", 0o644)
    inside = tmp_path / "inside"
    inside.mkdir(mode=0o700)
    (inside / "link").symlink_to(outside)
    (inside / "folder").symlink_to(outside.parent)
    os.mkfifo(inside / "pipe", 0o666)
    (inside / "shared").mkdir()
    (inside / "shared").chmod(0o1777)

    assert tighten(inside) == 0
    assert (mode(outside), mode(inside / "shared")) == (0o644, 0o1777)
