"""The writer of a file is the process that last changed its bytes; an open for writing changes none."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from driftline.sensor.bpf import kernel, records
from driftline.sensor.bpf.records import ExecRecord, OpenRecord, RecordFlag
from driftline.verdict import FileFacts, Writer

pytestmark = pytest.mark.kernel

Run = Callable[[str], list[records.Record]]

PYTHON = """
import ctypes, fcntl, mmap, os, sys
def opened(flags=os.O_RDWR): return os.open("x", flags)
def other(): return os.open("other-text", os.O_RDONLY)
"""
CHANGES = {
    "write": ("os.write(opened(), b't')", "write"),
    "pwrite": ("os.pwrite(opened(), b't', 0)", "write"),
    "writev": ("os.writev(opened(), [b't', b'r'])", "write"),
    "pwritev": ("os.pwritev(opened(), [b't'], 0)", "write"),
    "append": ("os.write(opened(os.O_WRONLY | os.O_APPEND), b' ')", "write"),
    "ftruncate": ("os.ftruncate(opened(), 4)", "truncate"),
    "extending ftruncate": ("os.ftruncate(opened(), 20)", "truncate"),
    "O_TRUNC": ("opened(os.O_WRONLY | os.O_TRUNC)", "truncate"),
    "O_TRUNC by openat2": (
        "ctypes.CDLL(None).syscall(437, -100, b'x', (ctypes.c_uint64 * 3)(os.O_WRONLY | os.O_TRUNC, 0, 0), 24)",
        "truncate",
    ),
    "posix_fallocate": ("os.posix_fallocate(opened(), 0, 100)", "allocate"),
    "shared mapping": ("mmap.mmap(opened(), 4)[0:1] = b't'", "mapping"),
    "copy_file_range": ("os.copy_file_range(other(), opened(), 4)", "copy"),
    "sendfile": ("os.sendfile(opened(), other(), 0, 4)", "copy"),
    "splice": (
        "r, w = os.pipe(); os.write(w, b'true'); os.splice(r, opened(), 4)",
        "copy",
    ),
}
NO_CHANGES = {
    "open to write": "opened()",
    "open to append": "opened(os.O_WRONLY | os.O_APPEND)",
    "write of nothing": "os.write(opened(), b'')",
    "read and write open": "os.read(opened(), 10)",
    "ftruncate to the same size": "os.ftruncate(opened(), os.path.getsize('x'))",
    "fallocate that keeps the size": "ctypes.CDLL(None).syscall(285, opened(), 1, 0, 8192)",
    "private mapping": "mmap.mmap(opened(), 4, flags=mmap.MAP_PRIVATE)[0:1] = b'x'",
    "shared mapping to read": "mmap.mmap(opened(), 4, prot=mmap.PROT_READ)",
    "times": "os.utime('x', (1, 1))",
    "rename and back": "os.rename('x', 'y'); os.rename('y', 'x')",
    "mode": "os.chmod('x', 0o700)",
    "attribute": "os.setxattr('x', 'user.a', b'b')",
}


def read_file(found: list[records.Record], name: bytes = b"x") -> FileFacts:
    """Return the facts of the script that busybox read last."""
    return [r.file for r in found if isinstance(r, OpenRecord) and r.file.path.endswith(b"/" + name)][-1]


def after(run: Run, tmp_path_factory: pytest.TempPathFactory, action: str) -> FileFacts:
    """Return the facts of a script that ``cp`` wrote, after an action of Python."""
    script = tmp_path_factory.mktemp("script") / "python.py"
    script.write_text(PYTHON + action)
    return read_file(run(f"echo true false > other-text; cp other-text x; /usr/bin/python3 {script}; ./busybox sh ./x"))


def written_by(writer: Writer | None) -> bytes:
    return writer.comm if writer else b""


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_bytes_makes_the_writer(run: Run, tmp_path_factory: pytest.TempPathFactory, change: str) -> None:
    action, operation = CHANGES[change]
    writer = after(run, tmp_path_factory, action).writer

    assert writer is not None
    assert (writer.comm, writer.operation) == (b"python3", operation)


@pytest.mark.parametrize("action", NO_CHANGES)
def test_no_other_operation_takes_over_authorship(
    run: Run, tmp_path_factory: pytest.TempPathFactory, action: str
) -> None:
    assert written_by(after(run, tmp_path_factory, NO_CHANGES[action]).writer) == b"cp"


def test_the_last_open_for_writing_is_a_fact_of_its_own(run: Run) -> None:
    file = read_file(run("echo true > text; cp text x; touch -r text x; ./busybox sh ./x"))

    assert (written_by(file.writer), written_by(file.opener)) == (b"cp", b"touch")


def test_a_file_that_was_only_created_has_no_writer(run: Run) -> None:
    file = read_file(run("touch x; ./busybox sh ./x"))

    assert (file.writer, written_by(file.opener)) == (None, b"touch")


def test_the_arguments_are_those_at_the_write(run: Run, kernel_side: kernel.KernelSide) -> None:
    """The same process has executed another program since."""
    file = read_file(run("sh -c 'echo true > x; exec ./busybox sh ./x'"))

    assert file.writer is not None
    assert kernel_side.writer_args(file.writer) == (b"sh", b"-c", b"echo true > x; exec ./busybox sh ./x")


def test_a_process_of_the_node_is_the_writer_of_what_it_changes_in_the_upper_layer(
    run: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    upper = tmp_path_factory.mktemp("upper")
    go, went = upper / "go", upper / "went"
    changed = subprocess.Popen(
        ("bash", "-c", f"until [ -e {go} ]; do sleep 0.02; done; printf 'true ' > {upper}/u/x; touch {went}")
    )
    with changed:
        file = read_file(
            run(
                f"mkdir {upper}/u {upper}/w {upper}/r; cp busybox {upper}/u; "
                f"mount -t overlay -o lowerdir=../lower,upperdir={upper}/u,workdir={upper}/w overlay {upper}/r; "
                f"cd {upper}/r; echo false > x; touch {go}; until [ -e {went} ]; do sleep 0.02; done; ./busybox sh ./x"
            )
        )

    assert file.writer is not None
    assert (file.writer.comm, file.writer.mnt_ns) == (b"bash", kernel.host_mnt_ns())


def test_a_reused_inode_number_has_another_writer_or_none(run: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    """ext4 gives the number of a removed file to the next one."""
    disk = tmp_path_factory.mktemp("disk")
    image = disk / "image"
    subprocess.run(("truncate", "-s", "16M", image), check=True)
    subprocess.run(("mkfs.ext4", "-q", image), check=True)
    found = run(
        f"mkdir m; mount -o loop {image} m; cd m; "
        "for i in 1 2 3 4 5 6 7 8; do cp ../busybox x$i; rm x$i; touch x; "
        "../busybox sh ./x; rm x; done; cd ..; umount m"
    )
    opens = [r for r in found if isinstance(r, OpenRecord) and not r.head.flags & RecordFlag.READ_AS_CODE]
    files = [record.file for record in opens if record.file.path.endswith(b"/x")]

    assert len(files) == 8
    assert len({file.inode for file in files}) < 8, "no inode number was reused"
    assert [file.writer for file in files] == [None] * 8


@pytest.mark.skipif(not Path("/usr/bin/gcc").exists(), reason="needs a compiler")
def test_writes_of_32_bit_system_calls_are_seen(run: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A 64-bit program can make them as well, by int 0x80."""
    folder = tmp_path_factory.mktemp("compat")
    (folder / "w.c").write_text(
        '#include <fcntl.h>\nint main(void) { static char text[] = "t"; long ret; int fd = open("x", O_RDWR);'
        ' __asm__ volatile("int $0x80" : "=a"(ret) : "a"(4), "b"(fd), "c"(text), "d"(1) : "memory");'
        " return ret != 1; }"
    )
    subprocess.run(("gcc", "-no-pie", "-o", folder / "compat", folder / "w.c"), check=True)
    file = read_file(
        run(f"echo true > text; cp text x; {os.fspath(folder)}/compat || echo false > x; ./busybox sh ./x")
    )

    assert written_by(file.writer) == b"compat"


EXECUTED = {
    "chmod": ("chmod 700 x", True),
    "touch": ("touch x", True),
    "write": ("printf x >> x", False),
    "write and restore": ("cp x copy; printf x > x; cat copy > x", False),
    "truncate(2)": ("python3 -c 'import os; os.truncate(\"x\", 5)'", False),
}


@pytest.mark.parametrize("action", EXECUTED)
def test_only_a_file_that_nobody_wrote_to_since_its_exec_is_proven_unwritten(
    run: Run, kernel_side: kernel.KernelSide, action: str
) -> None:
    command, is_proven = EXECUTED[action]
    found = run(f"cp busybox x; ./x true; {command}")
    record = [r for r in found if isinstance(r, ExecRecord) and r.file.path.endswith(b"/x")][-1]

    assert kernel_side.is_unwritten(record.file, record.head.time) == is_proven
