import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from driftline import image
from driftline.errors import CorruptImage, ImageError
from driftline.image import ImageIndex, Kind, Limits, LowerDirs, lowerdirs
from driftline.image.limits import Budget
from tests.image import making

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes devices, trusted xattrs, mounts")


@contextmanager
def overlay(place: Path, layers: list[Path]) -> Iterator[Path]:
    """Mount the layers, topmost first, read-only."""
    for name in ("empty", "merged"):
        (place / name).mkdir()
    lowers = ":".join(str(layer) for layer in [*layers, place / "empty"])
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"ro,lowerdir={lowers}", place / "merged"], check=True)
    try:
        yield place / "merged"
    finally:
        subprocess.run(["umount", place / "merged"], check=True)


def shown(root: Path) -> dict[bytes, object]:
    """Entries of a mount: each path with its type, mode, owner, content, target or device."""
    found: dict[bytes, object] = {}
    for folder, folders, files in os.walk(os.fsencode(root)):
        for name in (*folders, *files):
            path = folder + b"/" + name
            try:
                info = os.lstat(path)
            except FileNotFoundError:
                continue  # overlayfs lists whiteouts of directories that are in one layer only
            content = Path(os.fsdecode(path)).read_bytes() if _is_file(info) else b""
            target = os.readlink(path) if lowerdirs.KINDS.get(info.st_mode & 0o170000) == Kind.SYMLINK else b""
            found[path[len(os.fsencode(root)) :]] = (
                info.st_mode,
                info.st_uid,
                info.st_gid,
                making.sha256(content) if _is_file(info) else "",
                target,
                info.st_rdev,
            )
    return found


def _is_file(info: os.stat_result) -> bool:
    return lowerdirs.KINDS.get(info.st_mode & 0o170000) == Kind.FILE


FORMATS = {kind: number for number, kind in lowerdirs.KINDS.items()} | {Kind.DIRECTORY: 0o040000}


def indexed(index: ImageIndex) -> dict[bytes, object]:
    """Entries of an index, in the form of ``shown``."""
    return {
        entry.path: (
            FORMATS[entry.kind] | entry.mode,
            entry.uid,
            entry.gid,
            entry.sha256 and f"sha256:{entry.sha256}",
            entry.target,
            entry.device,
        )
        for entry in index
        if entry.path != b"/"
    }


def build(place: Path, *layers: Path) -> ImageIndex:
    image.build_index(making.DIGEST, LowerDirs([os.fsencode(layer) for layer in layers]), place / "i.index")
    return image.open_index(place / "i.index")


@pytest.fixture
def layer(tmp_path: Path) -> Callable[[str], Path]:
    """Make an empty layer directory of this name."""

    def make(name: str) -> Path:
        (tmp_path / name).mkdir()
        return tmp_path / name

    return make


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_agrees_with_a_mount_of_the_same_layers(tmp_path: Path, layer: Callable[[str], Path]) -> None:
    low, middle, top = layer("low"), layer("middle"), layer("top")
    write(low / "same/deep/file")
    write(low / "gone")
    write(low / "opaque/old")
    write(low / "dir-to-file/old")
    write(low / "file-to-dir")
    write(low / "again/a")
    (low / "lib").symlink_to("usr/lib")
    os.mkfifo(low / "fifo")
    os.mknod(low / "device", 0o020640, os.makedev(1, 3))
    (low / os.fsdecode(b"bad\xff\nname")).write_text("odd")
    write(middle / "same/deep/added", "2").chmod(0o4711)
    os.link(middle / "same/deep/added", middle / "linked")
    os.chown(middle / "linked", 12, 34)
    os.mknod(middle / "gone", 0o020000, 0)
    os.mknod(middle / "again", 0o020000, 0)
    write(middle / "opaque/new")
    os.setxattr(middle / "opaque", "trusted.overlay.opaque", b"y")
    write(middle / "dir-to-file")
    write(top / "file-to-dir/inner")
    write(top / "again/b")
    write(top / "lib/real")
    (top / "same").mkdir(mode=0o700)
    os.mknod(top / "nothing-there", 0o020000, 0)
    with overlay(tmp_path, [top, middle, low]) as mount:
        assert indexed(build(tmp_path, top, middle, low)) == shown(mount)


@pytest.mark.parametrize("marked", ["", "d"])
def test_agrees_with_a_mount_on_xattr_whiteouts(tmp_path: Path, layer: Callable[[str], Path], marked: str) -> None:
    low, top = layer("low"), layer("top")
    for name in ("d/hidden", "d/kept"):
        write(low / name, "low")
        write(top / name, "")
    os.setxattr(top / marked, "trusted.overlay.opaque", b"x")
    os.setxattr(top / "d/hidden", "trusted.overlay.whiteout", b"")
    with overlay(tmp_path, [top, low]) as mount:
        found = shown(mount)
        assert b"/d/hidden" not in found
        assert indexed(build(tmp_path, top, low)) == found


def test_user_namespace_xattrs_count(tmp_path: Path, layer: Callable[[str], Path]) -> None:
    low, top = layer("low"), layer("top")
    write(low / "d/old")
    write(top / "d/new")
    os.setxattr(top / "d", "user.overlay.opaque", b"y")
    assert making.names(build(tmp_path, top, low)) == [b"/", b"/d", b"/d/new"]


@pytest.mark.parametrize("feature", ["redirect", "metacopy"])
def test_redirects_and_metacopies_are_refused(tmp_path: Path, layer: Callable[[str], Path], feature: str) -> None:
    top = layer("top")
    marked = write(top / "d/f", "") if feature == "metacopy" else write(top / "d/f").parent
    os.setxattr(marked, f"trusted.overlay.{feature}", b"x")
    with pytest.raises(CorruptImage, match=f"trusted.overlay.{feature}"):
        build(tmp_path, top)


def test_symlinks_are_never_followed(tmp_path: Path, layer: Callable[[str], Path]) -> None:
    top = layer("top")
    (top / "file").symlink_to("/etc/passwd")
    (top / "folder").symlink_to("/etc")
    assert [(one.path, one.kind) for one in build(tmp_path, top)][1:] == [
        (b"/file", Kind.SYMLINK),
        (b"/folder", Kind.SYMLINK),
    ]


def test_file_replaced_with_a_symlink_during_the_read_is_an_error(
    tmp_path: Path, layer: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    top = layer("top")
    victim = write(top / "victim")
    secret = write(tmp_path / "secret", "secret")
    really_open = os.open

    def swap_then_open(path: bytes, flags: int, *, dir_fd: int | None = None) -> int:
        if path == b"victim":
            victim.unlink()
            victim.symlink_to(secret)
        return really_open(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swap_then_open)
    with pytest.raises(ImageError, match="Too many levels of symbolic links"):
        lowerdirs.read_lowerdirs([os.fsencode(top)], Budget(Limits()))


def test_file_replaced_with_another_during_the_read_is_an_error(
    tmp_path: Path, layer: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    top = layer("top")
    victim = write(top / "victim")
    really_open = os.open

    def swap_then_open(path: bytes, flags: int, *, dir_fd: int | None = None) -> int:
        if path == b"victim":
            victim.unlink()
            os.mkfifo(victim)
        return really_open(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swap_then_open)
    with pytest.raises(ImageError, match="replaced while the layer was read"):
        lowerdirs.read_lowerdirs([os.fsencode(top)], Budget(Limits()))


def test_a_missing_layer_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=re.escape(f"layer directory '{tmp_path}/none'")):
        build(tmp_path, tmp_path / "none")


def test_leaves_no_descriptor_open(tmp_path: Path, layer: Callable[[str], Path]) -> None:
    top = layer("top")
    write(top / "a/b/c/d")
    before = os.listdir("/proc/self/fd")
    lowerdirs.read_lowerdirs([os.fsencode(top)], Budget(Limits()))
    assert os.listdir("/proc/self/fd") == before
