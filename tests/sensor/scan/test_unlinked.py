"""What runs after its removal, with real processes on a real overlay."""

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.events import Container, Content
from driftline.image import ImageIndex
from driftline.sensor.scan.compare import scan
from driftline.sensor.scan.findings import Change, Finding
from tests.sensor.overlays import Overlay, mounted, put, running
from tests.sensor.scan.test_compare import index_of
from tests.sensor.scan.test_running import BUSYBOX, LIBRARY, MAP, WAIT, init

pytestmark = pytest.mark.kernel

# Maps an unnamed file of the kernel's memory as code, in a chroot.
MEMFD = (
    "import mmap, os, sys; os.chroot(sys.argv[1]); fd = os.memfd_create(sys.argv[2]);"
    "os.write(fd, bytes.fromhex(sys.argv[3]) + bytes(4000));"
    "code = mmap.mmap(fd, 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_EXEC);"
    "os.close(fd); print(code[0], flush=True); sys.stdin.read()"
)


@pytest.fixture
def overlay(tmp_path: Path) -> Iterator[Overlay]:
    layer = {"bin/busybox": BUSYBOX, "lib/d/x.so": LIBRARY, "usr/busybox": BUSYBOX + b"image"}
    with mounted(tmp_path / "o", layer) as found:
        yield found


@pytest.fixture
def index(overlay: Overlay, tmp_path: Path) -> Iterator[ImageIndex]:
    with index_of(overlay, tmp_path / "cache") as found:
        yield found


def test_a_dropped_program_that_removed_itself_is_the_first_finding(overlay: Overlay, index: ImageIndex) -> None:
    dropped = BUSYBOX + b"dropped"
    put(overlay.root / "tmp/busybox", dropped)
    put(overlay.root / "bin/x", b"#!")
    with init(overlay) as container, running("chroot", overlay.root, "/tmp/busybox", *WAIT) as pid:
        (overlay.root / "tmp/busybox").unlink()
        found = next(iter(scan(container, index)))

    assert (found.path, found.changes, found.pids) == (b"/tmp/busybox", (Change.DELETED,), (pid,))
    assert (found.content, found.before, found.is_executable) == (Content.ADDED, None, True)
    assert found.after is not None
    assert found.after.sha256 == hashlib.sha256(dropped).hexdigest()


def test_a_removed_copy_of_an_image_program_is_relocated(overlay: Overlay, index: ImageIndex) -> None:
    put(overlay.root / "tmp/busybox", BUSYBOX)
    with init(overlay) as container, running("chroot", overlay.root, "/tmp/busybox", *WAIT):
        (overlay.root / "tmp/busybox").unlink()
        found = next(iter(scan(container, index)))

    assert (found.content, found.note) == (
        Content.RELOCATED,
        "removed after it was started; same bytes as /bin/busybox",
    )


def test_a_deleted_image_program_is_one_finding_that_runs(overlay: Overlay, index: ImageIndex) -> None:
    with init(overlay) as container, running("chroot", overlay.root, "/usr/busybox", *WAIT) as pid:
        (overlay.root / "usr/busybox").unlink()
        found = list(scan(container, index))

    assert [(each.path, each.changes, each.pids) for each in found] == [(b"/usr/busybox", (Change.DELETED,), (pid,))]


def test_a_deleted_directory_runs_with_what_was_in_it(overlay: Overlay, index: ImageIndex) -> None:
    with init(overlay) as container, running(sys.executable, "-c", MAP, overlay.root, "/lib/d/x.so") as pid:
        (overlay.root / "lib/d/x.so").unlink()
        (overlay.root / "lib/d").rmdir()
        found = list(scan(container, index))

    assert [(each.path, each.pids) for each in found] == [(b"/lib/d", (pid,))]


def test_the_image_program_behind_a_replaced_one_is_no_finding(overlay: Overlay, index: ImageIndex) -> None:
    with init(overlay) as container, running("chroot", overlay.root, "/usr/busybox", *WAIT):
        put(overlay.root / "tmp/new", b"\x7fELF other")
        (overlay.root / "tmp/new").rename(overlay.root / "usr/busybox")
        found = {each.path: each for each in scan(container, index)}

    assert found[b"/usr/busybox"].changes == (Change.MODIFIED,)
    assert found[b"/usr/busybox"].pids == ()


@pytest.mark.parametrize(("head", "is_found"), [(b"\x7fELF", True), (b"\x90\x90", False)], ids=["ELF", "JIT code"])
def test_mapped_memory_counts_if_it_is_an_elf_file(
    overlay: Overlay, index: ImageIndex, head: bytes, is_found: bool
) -> None:
    with init(overlay) as container, running(sys.executable, "-c", MEMFD, overlay.root, "name", head.hex()) as pid:
        found = [(each.path, each.pids) for each in scan(container, index)]

    assert found == ([(b"/memfd:name", (pid,))] if is_found else [])


def test_a_program_with_another_name_is_found_there(overlay: Overlay, index: ImageIndex) -> None:
    put(overlay.root / "tmp/busybox", BUSYBOX + b"dropped")
    with init(overlay) as container, running("chroot", overlay.root, "/tmp/busybox", *WAIT) as pid:
        os.link(overlay.root / "tmp/busybox", overlay.root / "tmp/other")
        (overlay.root / "tmp/busybox").unlink()
        found: list[Finding] = [each for each in scan(container, index) if each.pids]

    assert [(each.path, each.changes, each.pids) for each in found] == [(b"/tmp/other", (Change.ADDED,), (pid,))]


def test_a_container_without_processes_has_none(overlay: Overlay, index: ImageIndex) -> None:
    assert list(scan(Container(id="c", upperdir=str(overlay.upper)), index)) == []
