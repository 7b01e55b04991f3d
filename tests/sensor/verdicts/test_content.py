import ctypes
import hashlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from driftline.errors import Unreadable
from driftline.sensor.verdicts.content import Capture, ContentReader
from driftline.verdict import Digest, FileFacts
from tests.sensor.overlays import Overlay, mounted, mounted_tmpfs, put, running

pytestmark = pytest.mark.kernel

OURS = os.getpid()
BUSYBOX = Path("/bin/busybox").read_bytes()
LAYER = {"bin/busybox": BUSYBOX, "bin/a": b"a", "bin/b": b"b", "bin/c": b"c"}


@pytest.fixture
def overlay(tmp_path: Path) -> Iterator[Overlay]:
    with mounted(tmp_path, LAYER) as found:
        yield found


@pytest.fixture
def reader() -> ContentReader:
    return ContentReader()


def digest(content: bytes, *, changed: bool = False) -> Digest:
    return Digest(hashlib.sha256(content).hexdigest(), len(content), changed)


def read(reader: ContentReader, file: FileFacts, **options: str) -> Digest:
    return reader.read(reader.capture_path([OURS], file, **options))


def test_an_image_file_is_read_through_its_path(overlay: Overlay, reader: ContentReader) -> None:
    assert read(reader, overlay.facts("bin/a")) == digest(b"a")


def do_chmod(path: Path) -> None:
    path.chmod(0o700)


def do_rename_and_back(path: Path) -> None:
    path.rename(path.with_name("z")).rename(path)


def do_hard_link(path: Path) -> None:
    path.with_name("z").hardlink_to(path)


@pytest.mark.parametrize(
    "change",
    [do_chmod, Path.touch, lambda path: os.chown(path, 1, 1), do_rename_and_back, do_hard_link],
    ids=["chmod", "touch", "chown", "rename and back", "hard link"],
)
def test_a_copied_up_file_keeps_its_inode_and_bytes(
    overlay: Overlay, reader: ContentReader, change: Callable[[Path], None]
) -> None:
    lower = overlay.facts("bin/a")
    change(overlay.root / "bin/a")
    upper = overlay.facts("bin/a")

    assert upper.upper
    assert (upper.device, upper.inode) == (lower.device, lower.inode)
    assert read(reader, upper) == digest(b"a")


def test_layers_on_several_file_systems_are_matched_by_superblock(tmp_path: Path, reader: ContentReader) -> None:
    """stat(2) shows the device of the layer then, and the record that of the overlay."""
    with mounted_tmpfs(tmp_path / "rw") as work, mounted(tmp_path / "o", LAYER, work=work) as overlay:
        (overlay.root / "bin/b").chmod(0o700)
        put(overlay.root / "new", b"new")

        assert (overlay.root / "bin/a").stat().st_dev != overlay.device
        assert read(reader, overlay.facts("bin/a")) == digest(b"a")
        assert read(reader, overlay.facts("bin/b")) == digest(b"b")
        assert read(reader, overlay.facts("new")) == digest(b"new")


def test_the_same_inode_on_another_file_system_is_refused(overlay: Overlay, reader: ContentReader) -> None:
    facts = overlay.facts("bin/a", device=os.makedev(0, 9999))

    with pytest.raises(Unreadable, match="another file took its place"):
        read(reader, facts)


def test_a_running_program_is_read_after_its_file_was_deleted(overlay: Overlay, reader: ContentReader) -> None:
    program = put(overlay.root / "tmp/sh", BUSYBOX)
    facts = overlay.facts("tmp/sh")
    with running(program, "-c", "echo; read x") as pid:
        program.unlink()
        found = reader.read(reader.capture_program([pid], facts))

    assert found == digest(BUSYBOX, changed=True)


def test_a_capture_outlives_process_and_file(overlay: Overlay, reader: ContentReader) -> None:
    program = put(overlay.root / "tmp/sh", BUSYBOX)
    facts = overlay.facts("tmp/sh")
    with running(program, "-c", "echo; read x") as pid:
        capture = reader.capture_program([pid], facts)
    program.unlink()

    assert reader.read(capture).sha256 == digest(BUSYBOX).sha256


def test_a_process_that_has_executed_another_program_is_not_read(overlay: Overlay, reader: ContentReader) -> None:
    put(overlay.root / "tmp/sh", BUSYBOX)
    with running(overlay.root / "tmp/sh", "-c", "echo; read x") as pid:
        found = reader.read(reader.capture_program([pid], overlay.facts("bin/a")))

    assert found == digest(b"a")


def test_a_memfd_is_read(reader: ContentReader) -> None:
    fd = os.memfd_create("payload", 0)
    os.write(fd, BUSYBOX)
    with running("sh", "-c", "echo; read x", executable=f"/proc/self/fd/{fd}", pass_fds=[fd]) as pid:
        found = Path(f"/proc/{pid}/exe").stat()
        facts = FileFacts(
            path=b"/",
            fs_path=b"/memfd:payload",
            device=found.st_dev,
            inode=found.st_ino,
            size=found.st_size,
            mode=found.st_mode,
            ctime_ns=found.st_ctime_ns,
            nlink=0,
            magic=0x01021994,
            fs_type="tmpfs",
        )
        assert reader.read(reader.capture_program([pid], facts)) == digest(BUSYBOX)
    os.close(fd)


def test_a_process_in_a_chroot_is_read_by_the_path_of_its_mount_namespace(
    overlay: Overlay, reader: ContentReader
) -> None:
    with running("chroot", overlay.root, "/bin/busybox", "sh", "-c", "echo; read x") as pid:
        assert reader.read(reader.capture_path([pid], overlay.facts("bin/a"))) == digest(b"a")


def test_other_processes_of_the_container_serve_when_the_first_has_ended(
    overlay: Overlay, reader: ContentReader
) -> None:
    capture = reader.capture_program([ended_pid(), OURS], overlay.facts("bin/a"))

    assert reader.read(capture) == digest(b"a")


def ended_pid() -> int:
    child = subprocess.Popen("true")
    child.wait()
    return child.pid


@pytest.mark.parametrize("name", ["new", "bin/b"])
def test_the_writable_layer_is_the_last_resort(overlay: Overlay, reader: ContentReader, name: str) -> None:
    put(overlay.root / "new", b"new")
    (overlay.root / "bin/b").chmod(0o700)
    content = (overlay.root / name).read_bytes()
    facts = overlay.facts(name)
    capture = reader.capture_path([ended_pid()], facts, upperdir=str(overlay.upper))

    assert reader.read(capture) == digest(content)


def test_a_changed_file_in_the_writable_layer_is_refused(overlay: Overlay, reader: ContentReader) -> None:
    path = put(overlay.root / "new", b"new")
    facts = overlay.facts("new")
    tick()
    path.write_bytes(b"NEW")

    with pytest.raises(Unreadable, match="its process ended"):
        reader.read(reader.capture_path([ended_pid()], facts, upperdir=str(overlay.upper)))


# Wait for the next tick of the clock that timestamps are taken from, so that the next change has another ctime.
def tick() -> None:
    before = time.clock_gettime_ns(5)
    while time.clock_gettime_ns(5) == before:
        time.sleep(0.001)


def test_a_metadata_only_copy_in_the_writable_layer_is_refused(tmp_path: Path, reader: ContentReader) -> None:
    with mounted(tmp_path, {"big": b"x" * 9000}, options=",metacopy=on,redirect_dir=on") as overlay:
        (overlay.root / "big").chmod(0o700)
        facts = overlay.facts("big")

        assert read(reader, facts) == digest(b"x" * 9000)
        with pytest.raises(Unreadable):
            reader.read(reader.capture_path([ended_pid()], facts, upperdir=str(overlay.upper)))


def test_the_digest_of_a_file_changed_after_execution_is_marked_changed(
    overlay: Overlay, reader: ContentReader
) -> None:
    path = put(overlay.root / "new", b"old")
    facts = overlay.facts("new")
    tick()
    path.write_bytes(b"new")

    assert read(reader, facts) == digest(b"new", changed=True)


def test_the_digest_of_a_file_restored_after_execution_is_marked_changed(
    overlay: Overlay, reader: ContentReader
) -> None:
    path = put(overlay.root / "bin/a", b"evil")
    facts = overlay.facts("bin/a")
    tick()
    path.write_bytes(b"a")
    os.utime(path, ns=(facts.ctime_ns, facts.ctime_ns))

    assert read(reader, facts) == digest(b"a", changed=True)


def test_each_version_of_a_file_is_hashed_once(
    overlay: Overlay, reader: ContentReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = overlay.facts("bin/a")
    first = read(reader, facts)
    monkeypatch.setattr("driftline.sensor.safe_open.open_to_read", None)

    assert read(reader, facts) == first


def test_a_same_size_change_within_a_clock_tick_misses_the_cache(overlay: Overlay, reader: ContentReader) -> None:
    """ctime counts in ticks: the reader waits until the tick of the last change is over."""
    path = overlay.root / "new"
    for round_ in range(20):
        content = f"{round_:05}".encode()
        put(path, content)
        assert read(reader, overlay.facts("new")) == digest(content)


def test_a_file_over_the_size_limit_is_refused_unread(overlay: Overlay) -> None:
    with (overlay.root / "sparse").open("wb") as file:
        file.truncate(10 << 30)

    with pytest.raises(Unreadable, match=r"it has 10,737,418,240 bytes; at most 1,073,741,824 are read"):
        read(ContentReader(), overlay.facts("sparse"))


def test_a_read_over_the_time_limit_is_unreadable(overlay: Overlay) -> None:
    with (overlay.root / "sparse").open("wb") as file:
        file.truncate(64 << 20)

    with pytest.raises(Unreadable, match="could be read in time"):
        read(ContentReader(max_seconds=0), overlay.facts("sparse"))


def swap_fifo(path: Path) -> None:
    os.mkfifo(path)


def swap_symlink(path: Path) -> None:
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    ("swap", "reason"),
    [
        (swap_fifo, "another file took its place"),
        (swap_symlink, "a symlink took its place"),
        (lambda path: os.mknod(path, 0o020600, os.makedev(1, 3)), "another file took its place"),
        (lambda path: path.mkdir(), "another file took its place"),
        (lambda path: put(path, b"new"), "another file took its place"),
        (lambda path: None, "gone before it could be opened"),
    ],
    ids=["FIFO", "symlink", "device", "directory", "file", "nothing"],
)
def test_a_replacement_of_the_file_is_not_opened(
    overlay: Overlay, reader: ContentReader, swap: Callable[[Path], object], reason: str
) -> None:
    path = put(overlay.root / "x", b"x")
    facts = overlay.facts("x")
    path.rename(path.with_name("elsewhere"))
    swap(path)

    with pytest.raises(Unreadable, match=reason):
        read(reader, facts, upperdir=str(overlay.upper))


def test_a_directory_swapped_with_a_symlink_never_leads_to_the_node(overlay: Overlay, reader: ContentReader) -> None:
    """Every read gives the file of the container or a reason; none gives the file of the node."""
    put(overlay.root / "d/passwd", b"mine")
    facts = overlay.facts("d/passwd")
    (overlay.root / "link").symlink_to("/etc")
    stop = threading.Event()
    swinger = threading.Thread(target=swing, args=(overlay.root, stop))
    swinger.start()
    try:
        found = {outcome(reader, facts) for _ in range(300)}
    finally:
        stop.set()
        swinger.join()

    assert digest(b"mine").sha256 in found
    assert hashlib.sha256(Path("/etc/passwd").read_bytes()).hexdigest() not in found


def swing(root: Path, stop: threading.Event) -> None:
    libc = ctypes.CDLL(None)
    exchange = 2  # RENAME_EXCHANGE
    while not stop.is_set():
        libc.renameat2(-100, bytes(root / "d"), -100, bytes(root / "link"), exchange)


def outcome(reader: ContentReader, facts: FileFacts) -> str:
    try:
        return read(reader, facts).sha256
    except Unreadable as error:
        return str(error)


def test_a_file_in_proc_is_unreadable(reader: ContentReader) -> None:
    found = Path("/proc/kmsg").stat()
    facts = FileFacts(
        path=b"/proc/kmsg",
        fs_path=b"/kmsg",
        device=found.st_dev,
        inode=found.st_ino,
        size=0,
        mode=found.st_mode,
        ctime_ns=found.st_ctime_ns,
        nlink=1,
        magic=0x9FA0,
        fs_type="proc",
    )

    with pytest.raises(Unreadable, match="a file of proc has no content"):
        read(reader, facts)


def test_a_stalled_file_system_is_abandoned(
    overlay: Overlay, reader: ContentReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A FUSE server in a container can stall a read like this."""
    answer = threading.Event()
    really = os.preadv

    def stall(*args: object) -> int:
        answer.wait()
        return really(*args)  # type: ignore[arg-type]  # as preadv has them

    monkeypatch.setattr(os, "preadv", stall)
    monkeypatch.setattr("driftline.sensor.verdicts.content._STALL_SECONDS", 0.05)
    facts = overlay.facts("bin/a")
    try:
        for _ in range(8):
            with pytest.raises(Unreadable, match="did not answer"):
                read(reader, facts)
        with pytest.raises(Unreadable, match="8 other reads wait"):
            read(reader, facts)
    finally:
        answer.set()


def test_a_mapped_file_is_captured_by_its_inode(overlay: Overlay, reader: ContentReader) -> None:
    path = overlay.root / "bin/a"
    capture = reader.open_mapped([ended_pid(), OURS], bytes(path), path.stat().st_ino)

    assert capture is not None
    assert capture.fs_type == "overlay"
    assert reader.read(capture) == digest(b"a")


def test_another_inode_at_the_mapped_path_is_not_captured(overlay: Overlay, reader: ContentReader) -> None:
    assert reader.open_mapped([OURS], bytes(overlay.root / "bin/a"), 1) is None


def test_no_descriptor_stays_open(overlay: Overlay, reader: ContentReader) -> None:
    before = len(os.listdir("/proc/self/fd"))
    facts = overlay.facts("bin/a")
    read(reader, facts)
    reader.capture_path([OURS], facts).close()
    outcome(reader, overlay.facts("bin/a", inode=1))
    Capture(-1, reason="none").close()

    assert len(os.listdir("/proc/self/fd")) == before
