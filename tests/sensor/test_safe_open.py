import errno
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.sensor import safe_open
from tests.sensor.overlays import mounted_tmpfs, put


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_PATH)
    yield fd
    os.close(fd)


def content(handle: int) -> bytes:
    fd = safe_open.open_to_read(handle)
    try:
        return os.read(fd, 100)
    finally:
        os.close(fd)
        os.close(handle)


def birth_of(path: Path) -> int:
    """The time of creation that stat(1) of GNU coreutils tells, in nanoseconds; 0 if it is unknown."""
    shown = subprocess.run(("stat", "-c", "%W %w", path), capture_output=True, text=True, check=True).stdout
    seconds, _, rest = shown.partition(" ")
    return int(seconds) * 10**9 + int(rest.partition(".")[2][:9] or 0)


def test_statx_agrees_with_stat(tmp_path: Path) -> None:
    path = put(tmp_path / "x", b"12345", 0o640)
    os.link(path, tmp_path / "y")
    os.chown(path, 12, 34)
    os.utime(path, ns=(1, 2_000_000_003))
    handle = safe_open.open_magic_link(str(path))
    found, expected = safe_open.statx(handle), path.stat()
    os.close(handle)

    assert found == (
        expected.st_dev,
        expected.st_ino,
        5,
        stat.S_IFREG | 0o640,
        2,
        expected.st_ctime_ns,
        12,
        34,
        0,
        found.mount_id,
        expected.st_mtime_ns,
        found.birth_ns,
    )
    assert found.birth_ns in (0, birth_of(path))
    assert f"mnt_id:\t{found.mount_id}\n" in mount_of(path)


def mount_of(path: Path) -> str:
    fd = os.open(path, os.O_RDONLY)
    try:
        return Path(f"/proc/self/fdinfo/{fd}").read_text()
    finally:
        os.close(fd)


@pytest.mark.parametrize("cached", [False, True])
def test_a_path_is_opened_below_the_directory(folder: int, tmp_path: Path, cached: bool) -> None:
    put(tmp_path / "a/b", b"here").read_bytes()

    assert content(safe_open.open_beneath(folder, b"/a/b", cached=cached)) == b"here"


@pytest.mark.parametrize("name", [b"a b", b"line\nend", b"\xff\xfe", "本".encode(), b"n" * 255])
def test_any_file_name_can_be_opened(folder: int, tmp_path: Path, name: bytes) -> None:
    put(Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))), b"here")

    assert content(safe_open.open_beneath(folder, name, cached=False)) == b"here"


def test_a_path_longer_than_path_max_is_opened_in_steps(folder: int, tmp_path: Path) -> None:
    names = [b"d" * 200] * 30
    fd = os.dup(folder)
    for name in names:
        os.mkdir(name, dir_fd=fd)
        fd, parent = os.open(name, os.O_PATH, dir_fd=fd), fd
        os.close(parent)
    os.close(os.open(b"x", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)

    assert content(safe_open.open_beneath(folder, b"/".join([*names, b"x"]), cached=False)) == b""


@pytest.mark.parametrize("target", ["there", "/etc/passwd", "/proc/self/exe"])
@pytest.mark.parametrize("path", [b"link", b"link/x"])
def test_symlinks_are_not_followed(folder: int, tmp_path: Path, target: str, path: bytes) -> None:
    put(tmp_path / "there", b"")
    (tmp_path / "link").symlink_to(target)

    if path == b"link":  # the handle is of the link itself, which nothing then reads
        with pytest.raises(OSError, match="symbolic") as caught:
            safe_open.open_beneath(folder, path, cached=False)
    else:
        with pytest.raises(OSError, match="symbolic") as caught:
            safe_open.open_beneath(folder, path, cached=False)
    assert caught.value.errno == errno.ELOOP


@pytest.mark.parametrize("path", [b"../x", b"a/../../x", b"", b"/", b"missing", b"n" * 5000])
def test_a_missing_or_escaping_path_is_an_error(folder: int, path: bytes) -> None:
    with pytest.raises(OSError, match=r"."):
        safe_open.open_beneath(folder, path, cached=False)


def test_a_failure_leaks_no_descriptor(folder: int) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FileNotFoundError):
        safe_open.open_beneath(folder, b"missing", cached=False)

    assert os.listdir("/proc/self/fd") == before


def test_reading_does_not_update_the_access_time(tmp_path: Path) -> None:
    path = put(tmp_path / "x", b"12345")
    os.utime(path, ns=(0, path.stat().st_mtime_ns))
    content(safe_open.open_magic_link(str(path)))

    assert path.stat().st_atime_ns == 0


def test_an_entry_is_opened_without_following_it(folder: int, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    handle = safe_open.open_entry(folder, b"link")
    target = os.readlink(b"", dir_fd=handle)
    os.close(handle)

    assert target == b"/etc/passwd"


def test_a_device_file_has_its_rdev() -> None:
    handle = safe_open.open_magic_link("/dev/null")
    found = safe_open.statx(handle)
    os.close(handle)

    assert found.rdev == os.makedev(1, 3)


def test_a_mount_point_is_not_opened() -> None:
    root = os.open("/", os.O_PATH)
    with pytest.raises(OSError, match=r".") as caught:
        safe_open.open_entry(root, b"proc")
    os.close(root)

    assert caught.value.errno == errno.EXDEV


@pytest.mark.kernel
def test_a_path_is_opened_on_its_mount_only(folder: int, tmp_path: Path) -> None:
    put(tmp_path / "a/b", b"x")
    (tmp_path / "link").symlink_to("a")
    with mounted_tmpfs(tmp_path / "volume") as volume:
        put(volume / "x", b"")
        assert content(safe_open.open_on_mount(folder, b"/a/b")) == b"x"
        for path, number in (
            (b"/volume/x", errno.EXDEV),
            (b"/volume", errno.EXDEV),
            (b"/link/b", errno.ELOOP),
            (b"/a/../../x", errno.EXDEV),
            (b"/missing", errno.ENOENT),
            (b"/" + b"a/" * 2100 + b"b", errno.ENAMETOOLONG),
        ):
            with pytest.raises(OSError, match=re.escape(os.strerror(number))):
                safe_open.open_on_mount(folder, path)
