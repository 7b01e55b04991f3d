import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.sensor.scan.safe_walk import Gap, Item, walk
from tests.sensor.overlays import mounted_tmpfs, put


@pytest.fixture
def top(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_PATH)
    yield fd
    os.close(fd)


def paths(top: int) -> list[bytes]:
    return [found.path for found in walk(top)]


def test_every_kind_of_file_is_yielded_with_its_path(top: int, tmp_path: Path) -> None:
    put(tmp_path / "d/file", b"")
    (tmp_path / "d/link").symlink_to("/etc")
    os.mkfifo(tmp_path / "d/fifo")
    os.mknod(tmp_path / "d/null", 0o020600, os.makedev(1, 3))
    found = {item.path: stat.S_IFMT(item.stat.mode) for item in walk(top) if isinstance(item, Item)}

    assert found == {
        b"/d": stat.S_IFDIR,
        b"/d/file": stat.S_IFREG,
        b"/d/link": stat.S_IFLNK,
        b"/d/fifo": stat.S_IFIFO,
        b"/d/null": stat.S_IFCHR,
    }


def test_a_directory_is_yielded_before_its_content(top: int, tmp_path: Path) -> None:
    put(tmp_path / "a/b/c", b"")

    assert paths(top) == [b"/a", b"/a/b", b"/a/b/c"]


@pytest.mark.parametrize("name", [b"a b", b"line\nend", b"\xff", b"n" * 255])
def test_any_file_name_is_yielded_as_bytes(top: int, tmp_path: Path, name: bytes) -> None:
    os.close(os.open(os.path.join(os.fsencode(tmp_path), name), os.O_CREAT | os.O_WRONLY))

    assert paths(top) == [b"/" + name]


def test_a_walk_stops_at_the_depth_limit(top: int) -> None:
    fd = os.dup(top)
    for _ in range(1000):
        os.mkdir("d", dir_fd=fd)
        fd, parent = os.open("d", os.O_PATH, dir_fd=fd), fd
        os.close(parent)
    os.close(fd)
    *items, last = walk(top)
    subprocess.run(("rm", "-r", f"/proc/self/fd/{top}/d"), check=True, pass_fds=(top,))  # too deep for pytest's own

    assert len(items) == 256
    assert isinstance(last, Gap)
    assert "nested more than 256 deep" in last.reason


def test_a_walk_stops_at_the_entry_limit(top: int, tmp_path: Path) -> None:
    for number in range(20):
        put(tmp_path / str(number), b"")
    *items, last = walk(top, max_entries=10)

    assert len(items) == 10
    assert last == Gap(b"/", "there are more than 10 files")


@pytest.mark.kernel
def test_a_mount_point_is_a_gap(top: int, tmp_path: Path) -> None:
    with mounted_tmpfs(tmp_path / "volume") as volume:
        put(volume / "x", b"")

        assert list(walk(top)) == [Gap(b"/volume", os.strerror(18), is_mount=True)]


def test_a_directory_deleted_during_the_walk_ends_only_its_own_part(top: int, tmp_path: Path) -> None:
    put(tmp_path / "a/x", b"")
    found = walk(top)
    first = next(found)
    (tmp_path / "a/x").unlink()
    (tmp_path / "a").rmdir()

    assert first.path == b"/a"
    assert [item for item in found if isinstance(item, Item)] == []


def test_no_descriptor_stays_open(top: int, tmp_path: Path) -> None:
    put(tmp_path / "a/b/c", b"")
    before = len(os.listdir("/proc/self/fd"))
    paths(top)
    unfinished = walk(top)
    next(unfinished)
    unfinished.close()  # type: ignore[attr-defined]  # it is a generator

    assert len(os.listdir("/proc/self/fd")) == before
