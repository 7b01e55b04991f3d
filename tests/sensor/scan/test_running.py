"""The files that a container runs, with real processes on a real overlay."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from driftline.events import Container
from driftline.sensor.scan.running import RunningFiles
from tests.sensor.overlays import Overlay, mounted, mounted_tmpfs, put, running

pytestmark = pytest.mark.kernel

BUSYBOX = Path("/bin/busybox").read_bytes()
LIBRARY = b"\x7fELF" + b"image" * 2000
WAIT = ("sh", "-c", "echo; read x")
# Maps a file as code after a chroot, as a process that loads a library does.
MAP = (
    "import mmap, os, sys; os.chroot(sys.argv[1]); file = open(sys.argv[2], 'rb');"
    "code = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC);"
    "file.close(); print(code[0], flush=True); sys.stdin.read()"
)


@pytest.fixture
def overlay(tmp_path: Path) -> Iterator[Overlay]:
    with mounted(tmp_path / "o", {"bin/busybox": BUSYBOX, "lib/x.so": LIBRARY, "bin/data": b"data"}) as found:
        yield found


@contextmanager
def init(overlay: Overlay) -> Iterator[Container]:
    """The container's first process; others count by their root."""
    with running("chroot", overlay.root, "/bin/busybox", *WAIT) as pid:
        yield Container(id="c", pid=pid, upperdir=str(overlay.upper))


def pids_of(container: Container, path: str) -> tuple[int, ...]:
    with RunningFiles(container) as found:
        return found.pids_of(path.encode())


def test_a_program_runs_in_each_of_its_processes(overlay: Overlay) -> None:
    put(overlay.root / "tmp/busybox", BUSYBOX)
    with init(overlay) as container:
        with (
            running("chroot", overlay.root, "/tmp/busybox", *WAIT) as one,
            running("chroot", overlay.root, "/tmp/busybox", *WAIT) as two,
        ):
            assert pids_of(container, "/tmp/busybox") == tuple(sorted((one, two)))
            assert pids_of(container, "/bin/busybox") == (container.pid,)
        assert pids_of(container, "/tmp/busybox") == ()
    assert pids_of(container, "/bin/data") == ()


def test_a_program_runs_under_every_name_of_its_inode(overlay: Overlay) -> None:
    put(overlay.root / "tmp/busybox", BUSYBOX)
    with init(overlay) as container, running("chroot", overlay.root, "/tmp/busybox", *WAIT) as pid:
        (overlay.root / "tmp/busybox").rename(overlay.root / "tmp/renamed")
        os.link(overlay.root / "tmp/renamed", overlay.root / "bin/link")

        assert pids_of(container, "/tmp/renamed") == pids_of(container, "/bin/link") == (pid,)


def test_a_file_that_took_the_place_of_a_running_one_does_not_run(overlay: Overlay) -> None:
    put(overlay.root / "tmp/busybox", BUSYBOX)
    put(overlay.root / "tmp/new", BUSYBOX)
    with init(overlay) as container, running("chroot", overlay.root, "/tmp/busybox", *WAIT):
        (overlay.root / "tmp/new").rename(overlay.root / "tmp/busybox")

        assert pids_of(container, "/tmp/busybox") == ()


def test_a_mapped_library_runs(overlay: Overlay) -> None:
    put(overlay.root / "tmp/x.so", LIBRARY, 0o644)
    with init(overlay) as container, running(sys.executable, "-c", MAP, overlay.root, "/tmp/x.so") as pid:
        assert pids_of(container, "/tmp/x.so") == (pid,)
        assert pids_of(container, "/lib/x.so") == ()


def test_a_library_written_in_place_runs_once_it_is_mapped_again(overlay: Overlay) -> None:
    """The inode stays the same, while the process still has the pages of the image's file."""
    with init(overlay) as container, running(sys.executable, "-c", MAP, overlay.root, "/lib/x.so"):
        (overlay.root / "lib/x.so").write_bytes(b"\x7fELF" + b"evil!" * 2000)
        assert pids_of(container, "/lib/x.so") == ()
        with running(sys.executable, "-c", MAP, overlay.root, "/lib/x.so") as later:
            assert pids_of(container, "/lib/x.so") == (later,)


def test_data_mapped_without_execute_permission_does_not_run(overlay: Overlay) -> None:
    script = MAP.replace("| mmap.PROT_EXEC", "")
    with init(overlay) as container, running(sys.executable, "-c", script, overlay.root, "/bin/data"):
        assert pids_of(container, "/bin/data") == ()


@pytest.mark.parametrize("name", ["/tmp/x.sh", "x.sh", "./x.sh", "../tmp/x.sh"])
def test_a_script_runs_by_the_path_on_its_command_line(overlay: Overlay, name: str) -> None:
    put(overlay.root / "tmp/x.sh", b"echo; read x\n", 0o644)
    command = f"cd /tmp; exec /bin/busybox sh {name}"
    with init(overlay) as container, running("chroot", overlay.root, "/bin/busybox", "sh", "-c", command) as pid:
        assert pids_of(container, "/tmp/x.sh") == (pid,)


def test_a_file_below_a_mount_is_not_the_one_of_the_writable_layer(overlay: Overlay) -> None:
    """The path leads to the file of the volume, which is another one."""
    put(overlay.root / "data/busybox", b"hidden")
    with mounted_tmpfs(overlay.root / "data") as volume, init(overlay) as container:
        put(volume / "busybox", BUSYBOX)
        with running("chroot", overlay.root, "/data/busybox", *WAIT):
            assert pids_of(container, "/data/busybox") == ()


def test_a_container_that_ended_runs_nothing(overlay: Overlay) -> None:
    with init(overlay) as container:
        pass

    assert pids_of(container, "/bin/busybox") == ()
    assert pids_of(Container(id="c"), "/bin/busybox") == ()


@pytest.mark.parametrize("path", ["/missing", "/bin", "/bin/busybox/x", "/" + "n" * 300])
def test_a_path_without_a_file_runs_nothing(overlay: Overlay, path: str) -> None:
    with init(overlay) as container:
        assert pids_of(container, path) == ()


def test_mappings_of_a_hostile_process_are_bounded(overlay: Overlay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftline.sensor.scan.running._MAX_MAPPINGS", 0)
    with init(overlay) as container, running(sys.executable, "-c", MAP, overlay.root, "/lib/x.so"):
        assert pids_of(container, "/lib/x.so") == ()
        assert pids_of(container, "/bin/busybox") == (container.pid,)


def unlinked(container: Container) -> list[tuple[bytes, tuple[int, ...], bool]]:
    with RunningFiles(container) as found:
        return [(file.path, file.pids, file.is_program) for file in found.unlinked()]


def test_a_program_that_was_removed_is_unlinked(overlay: Overlay) -> None:
    put(overlay.root / "tmp/busybox", BUSYBOX)
    with init(overlay) as container, running("chroot", overlay.root, "/tmp/busybox", *WAIT) as pid:
        assert unlinked(container) == []
        (overlay.root / "tmp/busybox").unlink()

        assert unlinked(container) == [(b"/tmp/busybox", (pid,), True)]


def test_a_file_named_deleted_is_not_unlinked(overlay: Overlay) -> None:
    """The kernel appends the same words to the path of a removed file."""
    put(overlay.root / "tmp/x.so (deleted)", LIBRARY)
    with init(overlay) as container, running(sys.executable, "-c", MAP, overlay.root, "/tmp/x.so (deleted)") as pid:
        assert unlinked(container) == []
        (overlay.root / "tmp/x.so (deleted)").unlink()

        assert unlinked(container) == [(b"/tmp/x.so (deleted)", (pid,), False)]
