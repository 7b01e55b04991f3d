"""Files of processes that ran before the sensor: their programs, libraries and scripts, from /proc.

A process has executed its program unless it was forked without an exec: then it shares the addresses of its parent's
stack and arguments, which each exec chooses at random (``Process.layout``). Such a process runs what its parent
runs, and is not reported by itself.

The magic links of /proc lead to the very file, also where its path was replaced or removed since.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from driftline.sensor import safe_open
from driftline.sensor.bpf.mmap_events import MappingRecord
from driftline.sensor.tracking import mounts
from driftline.sensor.tracking.containers import TrackedContainer
from driftline.sensor.tracking.mappings import facts_of_mapped, in_lower_layer
from driftline.sensor.tracking.processes import Process
from driftline.sensor.verdicts.content import Capture
from driftline.verdict import FileFacts, script_argument

__all__ = ["Opened", "executable_mappings", "facts_of_opened", "mount_namespace", "open_program", "open_script"]

_OPEN_SECONDS = 0.5
"""Seconds that the path of a script may take. A file system in the container can let it take any time."""
_FDS_MAX = 64
"""Descriptors of an interpreter that are searched for its script."""


class Opened(msgspec.Struct, frozen=True):
    """A file that a running process uses, open."""

    record: MappingRecord
    """Process, path, inode and device, as for a mapping."""
    capture: Capture
    """The file."""
    stat: os.stat_result
    """Attributes of the file."""


def mount_namespace(process: Process) -> int:
    """Return the inode number of a process's mount namespace; 0 if it has ended."""
    try:
        return Path(f"/proc/{process.key.pid}/ns/mnt").stat().st_ino
    except OSError:
        return 0


def open_program(process: Process, when: int) -> Opened | None:
    """Open the program of a process; ``None`` if it has ended or executes another one.

    ``when`` is the time of the look: boot-time clock, nanoseconds.
    """
    found = _open_link(f"/proc/{process.key.pid}/exe", process.key.pid, when)
    return found if found and found.stat.st_ino == process.inode else None


def open_script(process: Process, when: int) -> Opened | None:
    """Open the script of an interpreter, if its command line names one and the file can be found."""
    argument = script_argument(process.argv, process.program)
    if not argument:
        return None
    pid = process.key.pid
    with contextlib.suppress(OSError):
        return _script_by_descriptor(argument, pid, when) or _script_by_path(argument, pid, when)
    return None


def executable_mappings(process: Process, when: int) -> list[MappingRecord]:
    """Return the files that a process has mapped executable, each once, without its program."""
    try:
        lines = Path(f"/proc/{process.key.pid}/maps").read_bytes().splitlines()
    except OSError:  # it has ended
        return []
    found = {(record.device, record.inode, record.path): record for record in _executable(lines, process.key.pid, when)}
    return [record for record in found.values() if record.path != process.program]


def facts_of_opened(opened: Opened, tracked: TrackedContainer) -> FileFacts:
    """Return the facts of a file that a running process uses, as the kernel side gives them for an executed one."""
    record, found = opened.record, opened.stat
    if not found.st_nlink:
        record = msgspec.structs.replace(record, path=record.path.removesuffix(b" (deleted)"))
        return msgspec.structs.replace(facts_of_mapped(record, found, tracked), upper=True, lowers=0)
    is_image_file = in_lower_layer(record, tracked)
    facts = facts_of_mapped(record, found, tracked)
    return msgspec.structs.replace(facts, upper=found.st_dev == tracked.root_device and not is_image_file)


# A line of /proc/PID/maps: addresses, permissions, offset, device, inode, path (proc_pid_maps(5)).
def _executable(lines: list[bytes], pid: int, when: int) -> Iterator[MappingRecord]:
    for line in lines:
        fields = line.split(None, 5)
        if len(fields) == 6 and b"x" in fields[1] and fields[4] != b"0":
            major, minor = fields[3].split(b":")
            start, end = fields[0].split(b"-")
            yield MappingRecord(
                time=when,
                pid=pid,
                device=os.makedev(int(major, 16), int(minor, 16)),
                inode=int(fields[4]),
                start=int(start, 16),
                end=int(end, 16),
                path=fields[5].replace(b"\\012", b"\n"),
            )


def _open_link(link: str, pid: int, when: int) -> Opened | None:
    try:
        return _opened(safe_open.open_magic_link(link), os.readlink(os.fsencode(link)), pid, when)
    except OSError:  # the process has ended
        return None


def _opened(fd: int, path: bytes, pid: int, when: int) -> Opened:
    found = os.fstat(fd)
    mount = mounts.find_mount(pid, safe_open.statx(fd).mount_id)
    capture = Capture(fd, fs_type=mount.fs_type if mount else "")
    record = MappingRecord(time=when, pid=pid, device=found.st_dev, inode=found.st_ino, start=0, end=0, path=path)
    return Opened(record, capture, found)


# Shells and perl keep their script open: bash at 255, dash and ash at 10.
def _script_by_descriptor(argument: bytes, pid: int, when: int) -> Opened | None:
    for number in sorted(os.listdir(f"/proc/{pid}/fd"), key=int, reverse=True)[:_FDS_MAX]:
        link = f"/proc/{pid}/fd/{number}"
        if os.path.basename(os.readlink(os.fsencode(link))) == os.path.basename(argument):
            found = _open_link(link, pid, when)
            if found and stat.S_ISREG(found.stat.st_mode):
                return found
    return None


def _script_by_path(argument: bytes, pid: int, when: int) -> Opened | None:
    folder = os.readlink(os.fsencode(f"/proc/{pid}/cwd"))
    fd = _open_in_time(pid, os.path.join(folder, argument))
    if fd < 0:
        return None
    opened = _opened(fd, os.readlink(os.fsencode(f"/proc/self/fd/{fd}")), pid, when)
    return opened if stat.S_ISREG(opened.stat.st_mode) else None


# A thread that waits for a dead file system cannot be stopped, only abandoned.
def _open_in_time(pid: int, path: bytes) -> int:
    opened: list[int] = []

    def open_path() -> None:
        with contextlib.suppress(OSError):
            root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                opened.append(safe_open.open_in_root(root, path))
            finally:
                os.close(root)

    thread = threading.Thread(target=open_path, daemon=True, name="script")
    thread.start()
    thread.join(_OPEN_SECONDS)
    return opened[0] if opened else -1
