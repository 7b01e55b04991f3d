import hashlib
import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from driftline.errors import Unreadable
from driftline.events import Container, Content, VolumeMount
from driftline.image import ImageCache, ImageIndex, Kind, LowerDirs
from driftline.sensor.scan.compare import scan
from driftline.sensor.scan.findings import Change, Finding
from driftline.sensor.verdicts.content import ContentReader
from tests.sensor.overlays import Overlay, mounted, mounted_tmpfs, put, running

pytestmark = pytest.mark.kernel

BUSYBOX = Path("/bin/busybox").read_bytes()
LAYERS = (
    {"bin/busybox": BUSYBOX, "bin/a": b"a", "lib/x/1": b"1", "lib/x/2": b"2", "lib/x.so": b"so"},
    {"etc/conf": b"conf", "bin/a": b"older a", "lib/y": b"y"},
)


class ScanTarget:
    """A container to scan: its overlay, the index of its image, and its description."""

    def __init__(self, overlay: Overlay, index: ImageIndex, container: Container) -> None:
        self.overlay, self.root, self.index, self.container = overlay, overlay.root, index, container

    def scan(self) -> dict[str, Finding]:
        return {os.fsdecode(found.path): found for found in scan(self.container, self.index)}

    def changes(self) -> dict[str, tuple[Change, ...]]:
        return {path: found.changes for path, found in self.scan().items()}


def index_of(overlay: Overlay, cache: Path) -> ImageIndex:
    lowerdirs = LowerDirs(tuple(bytes(folder) for folder in overlay.lower))
    return ImageCache(cache).build("sha256:" + "0" * 64, lowerdirs)


@pytest.fixture
def options() -> dict[str, Any]:
    return {}


@pytest.fixture
def overlay(tmp_path: Path, options: dict[str, Any]) -> Iterator[Overlay]:
    with mounted(tmp_path / "o", *LAYERS, **options) as found:
        yield found


@pytest.fixture
def upper(overlay: Overlay, tmp_path: Path) -> Iterator[ScanTarget]:
    """A container whose writable layer is known."""
    with index_of(overlay, tmp_path / "cache") as index:
        yield ScanTarget(overlay, index, Container(id="c", upperdir=str(overlay.upper)))


@pytest.fixture(params=["upper", "root"])
def target(request: pytest.FixtureRequest, overlay: Overlay, tmp_path: Path) -> Iterator[ScanTarget]:
    """A container scanned by its writable layer, then by its root: both must give the same findings."""
    with index_of(overlay, tmp_path / "cache") as index:
        if request.param == "upper":
            yield ScanTarget(overlay, index, Container(id="c", upperdir=str(overlay.upper)))
            return
        with running("chroot", overlay.root, "/bin/busybox", "sh", "-c", "echo; read x") as pid:
            yield ScanTarget(overlay, index, Container(id="c", pid=pid))


def test_an_unchanged_container_has_no_findings(target: ScanTarget) -> None:
    assert target.changes() == {}


def do_rename_and_back(path: Path) -> None:
    path.rename(path.with_name("z")).rename(path)


def do_overwrite_with_the_same(path: Path) -> None:
    path.write_bytes(path.read_bytes())


@pytest.mark.parametrize(
    "change",
    [Path.touch, do_rename_and_back, do_overwrite_with_the_same, lambda path: path.chmod(0o755)],
    ids=["touch", "rename and back", "same bytes", "same mode"],
)
def test_an_unchanged_copied_up_file_is_no_finding(target: ScanTarget, change: Callable[[Path], None]) -> None:
    change(target.root / "bin/a")

    assert target.changes() == {}


def do_replace_by_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda path: path.chmod(0o4755), (Change.MODE,)),
        (lambda path: os.chown(path, 1000, 1000), (Change.OWNER,)),
        (lambda path: path.write_bytes(b"evil"), (Change.MODIFIED,)),
        (lambda path: path.unlink(), (Change.DELETED,)),
        (lambda path: (path.unlink(), path.symlink_to("/tmp")), (Change.KIND,)),
        (lambda path: (path.unlink(), path.mkdir()), (Change.KIND,)),
        (do_replace_by_a_fifo, (Change.KIND,)),
    ],
    ids=["chmod", "chown", "write", "delete", "symlink", "folder", "FIFO"],
)
def test_each_change_of_an_image_file_is_found(
    target: ScanTarget, change: Callable[[Path], object], expected: tuple[Change, ...]
) -> None:
    change(target.root / "bin/a")

    assert target.changes() == {"/bin/a": expected}


def test_a_dropped_program_is_added_and_executable(target: ScanTarget) -> None:
    put(target.root / "opt/x", b"dropped")
    found = target.scan()

    assert list(found) == ["/opt/x", "/opt"]
    assert found["/opt/x"].is_executable
    assert found["/opt/x"].content == Content.ADDED
    after = found["/opt/x"].after
    assert after is not None
    assert (after.kind, after.mode, after.sha256) == (Kind.FILE, 0o755, hashlib.sha256(b"dropped").hexdigest())


@pytest.mark.parametrize("head", [b"\x7fELF...", b"#!/bin/sh\n"])
def test_a_program_without_an_execute_bit_is_executable(target: ScanTarget, head: bytes) -> None:
    """``ld.so`` and ``sh`` run it without an execute bit."""
    put(target.root / "bin/x", head, 0o644)
    put(target.root / "bin/data", b"data", 0o644)

    assert [(path, found.is_executable) for path, found in target.scan().items()] == [
        ("/bin/x", True),
        ("/bin/data", False),
    ]


@pytest.mark.parametrize("do", [os.link, lambda old, new: new.write_bytes(old.read_bytes())], ids=["ln", "cp"])
def test_image_content_at_another_path_is_relocated(target: ScanTarget, do: Callable[[Path, Path], object]) -> None:
    do(target.root / "bin/busybox", target.root / "bin/wget")
    found = target.scan()

    assert set(found) == {"/bin/wget"}
    assert (found["/bin/wget"].content, found["/bin/wget"].note) == (Content.RELOCATED, "same bytes as /bin/busybox")


def test_a_moved_file_is_deleted_at_the_old_path_and_relocated_at_the_new(target: ScanTarget) -> None:
    (target.root / "bin/a").rename(target.root / "lib/a")

    assert target.changes() == {"/bin/a": (Change.DELETED,), "/lib/a": (Change.ADDED,)}


def test_a_deleted_directory_is_one_finding(target: ScanTarget) -> None:
    subprocess.run(("rm", "-r", target.root / "lib/x"), check=True)
    found = target.scan()

    assert target.changes() == {"/lib/x": (Change.DELETED,)}
    assert (found["/lib/x"].note, found["/lib/x"].is_executable) == ("with 2 more below it", True)


def test_a_recreated_directory_reports_its_missing_files(target: ScanTarget) -> None:
    """overlayfs marks such a directory as opaque, and it has no whiteouts."""
    subprocess.run(("rm", "-r", target.root / "lib/x"), check=True)
    put(target.root / "lib/x/1", b"1")

    assert target.changes() == {"/lib/x/2": (Change.DELETED,)}


def test_a_file_in_place_of_a_directory_is_one_finding(target: ScanTarget) -> None:
    subprocess.run(("rm", "-r", target.root / "lib/x"), check=True)
    put(target.root / "lib/x", b"")

    assert target.changes() == {"/lib/x": (Change.KIND,)}


@pytest.mark.parametrize("options", [{"options": ",redirect_dir=on"}])
def test_a_renamed_directory_reports_its_changed_files(target: ScanTarget) -> None:
    (target.root / "lib/x").rename(target.root / "lib/z")
    put(target.root / "lib/z/1", b"new")
    (target.root / "lib/z/2").chmod(0o700)
    found = target.scan()

    assert target.changes() == {
        "/lib/x": (Change.DELETED,),
        "/lib/z": (Change.ADDED,),
        "/lib/z/1": (Change.ADDED,),
        "/lib/z/2": (Change.ADDED,),
    }
    assert (found["/lib/z/1"].content, found["/lib/z/2"].content) == (Content.ADDED, Content.RELOCATED)


@pytest.mark.parametrize("options", [{"options": ",redirect_dir=on"}])
def test_unchanged_files_of_a_renamed_directory_are_relocated(target: ScanTarget) -> None:
    (target.root / "lib/x").rename(target.root / "z")

    assert {path: found.content for path, found in target.scan().items()} == {
        "/lib/x": None,
        "/z": None,
        "/z/1": Content.RELOCATED,
        "/z/2": Content.RELOCATED,
    }


@pytest.mark.parametrize("options", [{"options": ",metacopy=on,redirect_dir=on"}])
def test_a_metadata_only_copy_is_compared_by_its_attributes(target: ScanTarget) -> None:
    (target.root / "bin/busybox").chmod(0o4755)

    assert target.changes() == {"/bin/busybox": (Change.MODE,)}


@pytest.mark.parametrize("name", ["a b", "line\nend", "\udcff", "本", "n" * 255])
def test_any_file_name_is_found(target: ScanTarget, name: str) -> None:
    put(target.root / name, b"x")

    assert list(target.scan()) == ["/" + name]


def test_hostile_files_are_survived(target: ScanTarget) -> None:
    os.mkfifo(target.root / "bin/fifo")
    os.mknod(target.root / "bin/zero", 0o020666, os.makedev(1, 5))
    (target.root / "bin/loop").symlink_to("loop")
    (target.root / "bin/out").symlink_to("../../../../../etc/shadow")
    with (target.root / "bin/sparse").open("wb") as file:
        file.truncate(10 << 30)
    found = target.scan()

    assert {path: entry.after and entry.after.kind for path, entry in found.items()} == {
        "/bin/fifo": Kind.FIFO,
        "/bin/zero": Kind.CHARACTER_DEVICE,
        "/bin/loop": Kind.SYMLINK,
        "/bin/out": Kind.SYMLINK,
        "/bin/sparse": Kind.FILE,
    }
    assert found["/bin/sparse"].content == Content.UNVERIFIED
    assert found["/bin/sparse"].note.startswith("it has 10,737,418,240 bytes")


def test_an_image_file_that_cannot_be_compared_is_a_finding(upper: ScanTarget) -> None:
    with (upper.root / "bin/a").open("wb") as file:
        file.truncate(100)
    found = list(scan(upper.container, upper.index, reader=ContentReader(max_bytes=10)))

    assert [(finding.path, finding.changes) for finding in found] == [(b"/bin/a", (Change.UNVERIFIED,))]


def test_a_too_deep_tree_is_unverified(target: ScanTarget) -> None:
    fd = os.open(target.root, os.O_PATH)
    for _ in range(300):
        os.mkdir("d", dir_fd=fd)
        fd, parent = os.open("d", os.O_PATH, dir_fd=fd), fd
        os.close(parent)
    os.close(fd)
    found = target.changes()

    assert found["/d" * 256] == (Change.UNVERIFIED,)
    assert len(found) == 256


def test_an_image_of_forty_layers(tmp_path: Path) -> None:
    layers = [{f"bin/{number}": b"x", "bin/all": f"{number}".encode()} for number in range(40)]
    with mounted(tmp_path / "o", *layers) as overlay, index_of(overlay, tmp_path / "cache") as index:
        (overlay.root / "bin/all").touch()
        (overlay.root / "bin/7").write_bytes(b"y")
        (overlay.root / "bin/39").unlink()

        assert ScanTarget(overlay, index, Container(id="c", upperdir=str(overlay.upper))).changes() == {
            "/bin/7": (Change.MODIFIED,),
            "/bin/39": (Change.DELETED,),
        }


def test_mount_points_created_by_the_runtime_are_no_findings(upper: ScanTarget) -> None:
    put(upper.root / "etc/hosts", b"")
    put(upper.root / "data/inner/x", b"x")
    (upper.root / "proc").mkdir()
    volumes = (
        VolumeMount(path="/etc/hosts", source="/h", kind="other"),
        VolumeMount(path="/data/inner/", source="/d", kind="emptyDir"),
    )
    upper.container = Container(id="c", upperdir=str(upper.overlay.upper), volumes=volumes)

    assert set(upper.changes()) == {"/data/inner/x"}


def test_a_file_with_content_at_a_mount_point_is_a_finding(upper: ScanTarget) -> None:
    put(upper.root / "etc/hosts", b"10.0.0.1 evil")
    volumes = (VolumeMount(path="/etc/hosts", source="/h", kind="other"),)
    upper.container = Container(id="c", upperdir=str(upper.overlay.upper), volumes=volumes)

    assert set(upper.changes()) == {"/etc/hosts"}


def test_image_files_below_a_mount_are_hidden_not_deleted(overlay: Overlay, tmp_path: Path) -> None:
    with index_of(overlay, tmp_path / "cache") as index, mounted_tmpfs(overlay.root / "lib/x") as volume:
        put(volume / "volume's own", b"")
        with running("chroot", overlay.root, "/bin/busybox", "sh", "-c", "echo; read x") as pid:
            assert ScanTarget(overlay, index, Container(id="c", pid=pid)).changes() == {}


def test_a_container_whose_files_cannot_be_opened_is_an_error(upper: ScanTarget, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="does not run"):
        list(scan(Container(id="c"), upper.index))
    with pytest.raises(Unreadable, match="cannot be read"):
        list(scan(Container(id="c", upperdir=str(tmp_path / "missing")), upper.index))


def test_a_symlink_turned_to_another_target_counts_among_executables(target: ScanTarget) -> None:
    (target.root / "bin/a").unlink()
    (target.root / "bin/a").symlink_to("/tmp/x")
    (target.root / "bin/ash").symlink_to("busybox")
    (target.root / "etc/link").symlink_to("nothing")
    found = target.scan()

    assert {path: (each.is_executable, each.note) for path, each in found.items()} == {
        "/bin/a": (True, "leads to /tmp/x"),
        "/bin/ash": (True, "leads to busybox"),
        "/etc/link": (False, "leads to nothing"),
    }


def test_a_symlink_of_the_image_shows_both_targets(tmp_path: Path) -> None:
    with mounted(tmp_path / "o", {"bin/busybox": BUSYBOX}) as overlay:
        (overlay.lower[0] / "bin/sh").symlink_to("busybox")
        with index_of(overlay, tmp_path / "cache") as index:
            (overlay.upper / "bin").mkdir(exist_ok=True)
            (overlay.upper / "bin/sh").symlink_to("/tmp/x")
            container = Container(id="c", upperdir=str(overlay.upper))
            found = {each.path: each for each in scan(container, index)}

    changed = found[b"/bin/sh"]
    assert (changed.changes, changed.is_executable) == ((Change.MODIFIED,), True)
    assert changed.note == "leads to /tmp/x, to busybox in the image"


def test_a_finding_has_the_times_of_its_file(target: ScanTarget) -> None:
    """The owner can set the mtime, and nobody the ctime."""
    path = put(target.root / "opt/x", b"dropped")
    os.utime(path, ns=(1, 2_000_000_003))
    times = target.scan()["/opt/x"].times

    assert times is not None
    assert (times.mtime_ns, times.ctime_ns) == (2_000_000_003, path.stat().st_ctime_ns)
    assert 0 <= times.birth_ns <= times.ctime_ns


def test_a_deleted_file_has_no_times(target: ScanTarget) -> None:
    (target.root / "bin/a").unlink()

    assert target.scan()["/bin/a"].times is None


NET_RAW = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)  # cap_net_raw=ep


def test_a_file_that_gains_a_capability_is_found(target: ScanTarget) -> None:
    os.setxattr(target.root / "bin/a", "security.capability", NET_RAW)
    found = target.scan()

    assert target.changes() == {"/bin/a": (Change.CAPABILITIES,)}
    assert (found["/bin/a"].is_executable, found["/bin/a"].content) == (True, None)
    after = found["/bin/a"].after
    assert after is not None
    assert after.capabilities == NET_RAW


def test_capabilities_of_the_image_are_compared(tmp_path: Path) -> None:
    with mounted(tmp_path / "o", {"bin/keeps": b"1", "bin/loses": b"2"}) as overlay:
        for name in ("keeps", "loses"):
            os.setxattr(overlay.lower[0] / "bin" / name, "security.capability", NET_RAW)
        with index_of(overlay, tmp_path / "cache") as index:
            (overlay.root / "bin/keeps").touch()
            os.removexattr(overlay.root / "bin/loses", "security.capability")
            target = ScanTarget(overlay, index, Container(id="c", upperdir=str(overlay.upper)))

            assert target.changes() == {"/bin/loses": (Change.CAPABILITIES,)}
