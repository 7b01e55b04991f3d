"""Records of the BPF programs: their layouts (``bpf/driftline.h``) and their decoder.

``tests/sensor/test_layout.py`` compares the formats here with the object's BTF. Times are nanoseconds of the
boot-time clock (CLOCK_BOOTTIME), which also runs while the machine is suspended; ``Clock`` converts them to UTC.
Devices are ``st_dev`` numbers as stat(2) gives them, converted from the kernel's dev_t.

Paths, arguments and comms are bytes: a container chooses them, and they need not be UTF-8.
"""

from __future__ import annotations

import datetime
import enum
import os
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from driftline.verdict.facts import FileFacts, Writer

__all__ = [
    "Ancestor",
    "Cgroup",
    "CgroupRecord",
    "Clock",
    "ExecRecord",
    "ExitRecord",
    "Head",
    "LossReason",
    "OpenRecord",
    "ProcessKey",
    "Record",
    "RecordFlag",
    "RecordType",
    "decode",
    "decode_ancestors",
    "decode_args",
    "decode_loss",
    "decode_mapped",
    "kernel_device",
    "writer_key",
]

# Formats of the structs in driftline.h, in native byte order without implicit padding.
HEAD = struct.Struct("=QIHHQQQIIII")
WRITER = struct.Struct("=QQQQQQQII16s")
FACTS = struct.Struct("=QQQQIIIIII16s16s" + 2 * WRITER.format[1:])
EXEC = struct.Struct("=8IQ16sQQ")
ANCESTOR = struct.Struct("=QII16s")
EXEC_LENGTHS = struct.Struct("=8HII")
EXIT = struct.Struct("=iI")
CGROUP = struct.Struct("=II")
OPEN_LENGTHS = struct.Struct("=4HII")
ROOT = struct.Struct("=IIQQ")
CGROUP_REF = struct.Struct("=QQ")
CGROUP_PATH_MAX = 1024
CGROUP_LOSS = struct.Struct(f"=QII{CGROUP_PATH_MAX}s")
FILE_KEY = struct.Struct("=QQ")
SETTINGS = struct.Struct("=IIIIQ")
PROGRAM_KEY = struct.Struct("=QQQ")
WRITER_ARGS = struct.Struct("=Q256s")
ANCESTORS = 8
"""Ancestor processes in an exec record."""
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
"""Nanoseconds of a clock tick: the resolution of start times in /proc (proc_pid_stat(5), starttime)."""

_EXEC_AT = HEAD.size + FACTS.size
_ANCESTORS_AT = _EXEC_AT + EXEC.size
_EXEC_LENGTHS_AT = _ANCESTORS_AT + ANCESTORS * ANCESTOR.size
_EXEC_DATA_AT = _EXEC_LENGTHS_AT + EXEC_LENGTHS.size
_OPEN_PROGRAM_AT = HEAD.size + FACTS.size + ANCESTORS * ANCESTOR.size
_OPEN_LENGTHS_AT = _OPEN_PROGRAM_AT + FILE_KEY.size
_OPEN_DATA_AT = _OPEN_LENGTHS_AT + OPEN_LENGTHS.size
_CGROUP_DATA_AT = HEAD.size + CGROUP.size


class RecordType(enum.IntEnum):
    """``enum record_type`` of driftline.h."""

    EXEC = 1
    EXIT = 2
    CGROUP_MKDIR = 3
    CGROUP_RMDIR = 4
    OPEN = 5


class RecordFlag(enum.IntFlag):
    """``enum record_flag`` of driftline.h."""

    PATH_TRUNCATED = 1 << 0
    ARGS_TRUNCATED = 1 << 1
    ARGS_UNREADABLE = 1 << 2
    HAS_TTY = 1 << 3
    SECURE_EXEC = 1 << 4
    BLOCKED = 1 << 5
    DENIED = 1 << 6
    SHEBANG = 1 << 7
    READ_AS_CODE = 1 << 8
    ON_STDIN = 1 << 9


_OPERATIONS = ("", "write", "truncate", "allocate", "mapping", "copy")
"""``enum write_operation`` of driftline.h."""

# A plain number: the & of an IntFlag takes ten times as long, and this one runs for each record.
_PATH_TRUNCATED = int(RecordFlag.PATH_TRUNCATED)


class LossReason(enum.IntEnum):
    """``enum loss`` of driftline.h."""

    EXEC_RING_FULL = 0
    FILE_RING_FULL = 1
    ARGS_UNREADABLE = 2
    PATH_TRUNCATED = 3
    NO_SCRATCH = 4
    BLOCK_FAILED = 5
    EXIT_RING_FULL = 6
    CGROUP_RING_FULL = 7


class Clock:
    """Converter from boot-time nanoseconds to UTC.

    The difference between both clocks is measured by ``adjust``, to follow steps of the wall clock (NTP, an
    operator); a time that was converted before a step keeps its value.
    """

    def __init__(self) -> None:
        """Measure the difference between the clocks."""
        self.adjust()

    def adjust(self) -> None:
        """Measure again the difference between the wall clock and the boot-time clock."""
        self._offset_ns = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def utc(self, boot_ns: int) -> datetime.datetime:
        """Return the aware UTC time, to the microsecond."""
        return datetime.datetime.fromtimestamp((boot_ns + self._offset_ns) // 1000 / 1e6, datetime.UTC)


class Cgroup(NamedTuple):
    """One cgroup (``struct cgroup_ref``)."""

    id: int
    """Unique within its hierarchy: the inode number of its directory (kernfs)."""
    hierarchy: int
    """Number of the hierarchy as in /proc/PID/cgroup (cgroups(7)); 0 for cgroup v2."""


class ProcessKey(NamedTuple):
    """Key of a process, unique until the next boot.

    Id and start tick together: pids are reused, but not within one clock tick. The tick is the finest start time
    that /proc gives, so a key from a record equals a key from /proc.
    """

    pid: int
    """Thread group id in the node's pid namespace."""
    start_ticks: int
    """Time of the fork in clock ticks since boot."""

    @classmethod
    def at(cls, pid: int, start_ns: int) -> ProcessKey:
        """Return the key of a process that was forked at ``start_ns`` (boot-time clock, nanoseconds)."""
        return cls(pid, start_ns // TICK_NS)

    @property
    def start_ns(self) -> int:
        """Time of the fork, rounded down to the tick: boot-time clock, nanoseconds."""
        return self.start_ticks * TICK_NS


class Head(msgspec.Struct, frozen=True):
    """Head of every record (``struct record_head``): the time, and the task that caused it."""

    time: int
    """Time of the record: boot-time clock, nanoseconds."""
    length: int
    """Bytes of the record, head included."""
    type: int
    """A ``RecordType``."""
    flags: int
    """``RecordFlag`` bits."""
    cgroup: Cgroup
    """Cgroup of the task."""
    start: int
    """Time of the fork of the thread group leader: boot-time clock, nanoseconds."""
    tgid: int
    """Thread group id (the pid of user space), in the node's pid namespace."""
    pid: int
    """Thread id, in the node's pid namespace."""
    mnt_ns: int
    """Inode number of the task's mount namespace."""
    root_device: int
    """``st_dev`` of the container's root file system; 0 if it is not known."""


class Ancestor(msgspec.Struct, frozen=True):
    """An ancestor of a process, as it was at the time of the record."""

    start: int
    """Time of its fork: boot-time clock, nanoseconds."""
    tgid: int
    """Thread group id, in the node's pid namespace."""
    comm: bytes
    """Name of the task, at most 15 bytes (proc_pid_comm(5))."""


class ExecRecord(msgspec.Struct, frozen=True):
    """A successful execve(2) or execveat(2)."""

    head: Head
    """Time and task."""
    file: FileFacts
    """Facts of the program file; for a ``#!`` script of its interpreter (``bprm->file``)."""
    uid: int
    """Real user id, in the initial user namespace."""
    gid: int
    """Real group id, in the initial user namespace."""
    euid: int
    """Effective user id after the exec, in the initial user namespace."""
    login_uid: int
    """Audit login uid; 2**32 - 1 if unset."""
    session_id: int
    """Audit session id; 2**32 - 1 if unset."""
    ns_pid: int
    """Pid in the task's own pid namespace."""
    pid_ns: int
    """Inode number of that namespace."""
    argc: int
    """Number of arguments."""
    args_length: int
    """Bytes of all arguments, before truncation."""
    comm: bytes
    """Name of the task after the exec, at most 15 bytes."""
    session: ProcessKey | None
    """First process of its exec session; ``None`` for the container's own processes."""
    raw_ancestors: bytes
    """The ancestors as struct ancestor, not yet decoded: most execs need the parent alone."""
    filename: bytes
    """Path argument of execve(2) (``bprm->filename``); for a ``#!`` script the script."""
    interp: bytes
    """Path of the loaded program (``bprm->interp``); differs from ``filename`` for a ``#!`` script."""
    argv: tuple[bytes, ...]
    """Arguments; cut at the end if the flag ``ARGS_TRUNCATED`` is set."""
    cwd: bytes
    """Working directory, from the root of the mount namespace."""
    cgroup_path: bytes = b""
    """Path of the cgroup in its hierarchy; empty if the kernel side knows it as a container's."""

    @property
    def parent(self) -> Ancestor | None:
        """The parent process; ``None`` for process 1."""
        return _ancestor(self.raw_ancestors, 0) if self.head.tgid > 1 else None

    @property
    def ancestors(self) -> tuple[Ancestor, ...]:
        """The ancestor processes, parent first."""
        return decode_ancestors(self.raw_ancestors)


class OpenRecord(msgspec.Struct, frozen=True):
    """A file that an interpreter opened for reading and that is not an unchanged image file.

    With the flag ``DENIED``: a file whose exec the kernel side refused with EPERM.
    """

    head: Head
    """Time and task."""
    file: FileFacts
    """Facts of the opened file."""
    name: bytes
    """Path argument of the system call; empty if the system call has none."""
    raw_ancestors: bytes = b""
    """The ancestors as struct ancestor, not yet decoded."""
    program: tuple[int, int] = (0, 0)
    """Device (``st_dev``) and inode of the task's program file; zeros for a denied exec of an unknown program."""

    @property
    def ancestors(self) -> tuple[Ancestor, ...]:
        """The ancestor processes, parent first."""
        return decode_ancestors(self.raw_ancestors)


class ExitRecord(msgspec.Struct, frozen=True):
    """The end of a process."""

    head: Head
    """Time and task."""
    status: int
    """Wait status, as from wait(2)."""


class CgroupRecord(msgspec.Struct, frozen=True):
    """A cgroup was created or removed (``head.type``)."""

    head: Head
    """``cgroup`` is the one created or removed; the other fields describe the task that did it."""
    path: bytes
    """Path of the cgroup in its hierarchy."""


Record = ExecRecord | OpenRecord | ExitRecord | CgroupRecord


def decode(data: bytes, clock: Clock) -> Record:
    """Decode one record of a ring; ``clock`` converts the times of writers to UTC."""
    when, length, kind, flags, cgroup_id, hierarchy, start, tgid, pid, mnt_ns, root = HEAD.unpack_from(data)
    cgroup = Cgroup(cgroup_id, hierarchy)
    head = Head(when, length, kind, flags, cgroup, start, tgid, pid, mnt_ns, _device(root))
    decoder = _DECODERS[head.type]
    return decoder(head, data, clock)


def _decode_exec(head: Head, data: bytes, clock: Clock) -> ExecRecord:
    uid, gid, euid, login_uid, session_id, ns_pid, pid_ns, argc, args_length, comm, *session = EXEC.unpack_from(
        data, _EXEC_AT
    )
    lengths = EXEC_LENGTHS.unpack_from(data, _EXEC_LENGTHS_AT)
    fs_path, path, filename, interp, args, cwd, cgroup = _split(data, _EXEC_DATA_AT, lengths[:7])
    return ExecRecord(
        head=head,
        file=_facts(head, data, fs_path, path, clock),
        uid=uid,
        gid=gid,
        euid=euid,
        login_uid=login_uid,
        session_id=session_id,
        ns_pid=ns_pid,
        pid_ns=pid_ns,
        argc=argc,
        args_length=args_length,
        comm=_text(comm),
        session=ProcessKey.at(session[1], session[0]) if session[1] else None,
        raw_ancestors=data[_ANCESTORS_AT:_EXEC_LENGTHS_AT],
        filename=filename[:-1],
        interp=interp[:-1],
        # As in /proc/PID/cmdline: each argument ends with a NUL.
        argv=tuple(args.removesuffix(b"\0").split(b"\0")),
        cwd=_path(cwd),
        cgroup_path=_path(cgroup) if cgroup else b"",
    )


def _decode_open(head: Head, data: bytes, clock: Clock) -> OpenRecord:
    lengths = OPEN_LENGTHS.unpack_from(data, _OPEN_LENGTHS_AT)
    fs_path, path, name = _split(data, _OPEN_DATA_AT, lengths[:3])
    inode, device = FILE_KEY.unpack_from(data, _OPEN_PROGRAM_AT)
    ancestors = data[HEAD.size + FACTS.size : _OPEN_PROGRAM_AT]
    return OpenRecord(head, _facts(head, data, fs_path, path, clock), name[:-1], ancestors, (_device(device), inode))


def _decode_exit(head: Head, data: bytes, _clock: Clock) -> ExitRecord:
    return ExitRecord(head, EXIT.unpack_from(data, HEAD.size)[0])


def _decode_cgroup(head: Head, data: bytes, _clock: Clock) -> CgroupRecord:
    length = CGROUP.unpack_from(data, HEAD.size)[0]
    return CgroupRecord(head, data[_CGROUP_DATA_AT : _CGROUP_DATA_AT + length - 1])


# Decoders by record type; the ring of a record does not matter.
_DECODERS: Mapping[int, Callable[[Head, bytes, Clock], Record]] = {
    RecordType.EXEC: _decode_exec,
    RecordType.EXIT: _decode_exit,
    RecordType.CGROUP_MKDIR: _decode_cgroup,
    RecordType.CGROUP_RMDIR: _decode_cgroup,
    RecordType.OPEN: _decode_open,
}


def kernel_device(device: int) -> int:
    """Return the kernel's dev_t of an ``st_dev``: 12 bits of major, 20 of minor number (linux/kdev_t.h)."""
    return os.major(device) << 20 | os.minor(device)


# The reverse of ``kernel_device``.
def _device(dev: int) -> int:
    return os.makedev(dev >> 20, dev & 0xFFFFF)


# Cuts the byte strings behind the fixed part of a record, which lie end to end.
def _split(data: bytes, at: int, lengths: tuple[int, ...]) -> list[bytes]:
    parts = []
    for length in lengths:
        parts.append(data[at : at + length])
        at += length
    return parts


# A comm or type name: padded with NULs to its fixed size.
def _text(padded: bytes) -> bytes:
    return padded.split(b"\0", 1)[0]


# The kernel side walks the dentries up from the leaf, so the components come leaf first, each with a NUL.
def _path(components: bytes) -> bytes:
    return b"/" + b"/".join(components.split(b"\0")[-2::-1])


def _facts(head: Head, data: bytes, fs_path: bytes, path: bytes, clock: Clock) -> FileFacts:
    is_cut = bool(head.flags & _PATH_TRUNCATED)
    return _file_facts(data, HEAD.size, _path(fs_path), _path(path), clock, is_cut=is_cut)


def decode_mapped(data: bytes, fs_path: bytes, path: bytes, clock: Clock) -> FileFacts:
    """Decode a value of the map ``mapped`` (``struct file_facts``), which has no paths."""
    return _file_facts(data, 0, fs_path, path, clock, is_cut=False)


# Field order of ``struct file_facts``; the last writer and the last open for writing are its last members.
def _file_facts(data: bytes, at: int, fs_path: bytes, path: bytes, clock: Clock, *, is_cut: bool) -> FileFacts:
    (inode, size, ctime, magic, device, mode, nlink, lowers, upper, _, fs_type, key, *writers) = FACTS.unpack_from(
        data, at
    )
    return FileFacts(
        path=path,
        fs_path=fs_path,
        device=_device(device),
        inode=inode,
        size=size,
        mode=mode,
        ctime_ns=ctime,
        nlink=nlink,
        magic=magic,
        fs_type=_text(fs_type).decode(errors="replace"),
        upper=bool(upper),
        lowers=lowers,
        truncated=is_cut,
        kernel_key=key,
        writer=_writer(clock, writers[:10]),
        opener=_writer(clock, writers[10:]),
    )


def decode_loss(data: bytes) -> tuple[int, bytes]:
    """Decode a value of the map ``losses_by_cgroup``: the number of lost exec records, and the cgroup's path."""
    count, length, _, path = CGROUP_LOSS.unpack(data)
    return count, _path(path[:length])


# Field order of ``struct file_writer``; all zeros if none was seen.
def _writer(clock: Clock, fields: Sequence[Any]) -> Writer | None:
    changed, start, tgid, cgroup, hierarchy, exec_id, size, mnt_ns, operation, comm = fields
    if not changed:
        return None
    return Writer(
        pid=tgid,
        start_ns=start,
        comm=_text(comm),
        time=clock.utc(changed),
        operation=_OPERATIONS[operation],
        exec_id=exec_id,
        cgroup=(cgroup, hierarchy),
        mnt_ns=mnt_ns,
        size=size if operation else -1,
    )


def writer_key(writer: Writer) -> bytes:
    """Return the key of a writer's arguments in the map ``writer_args``."""
    return PROGRAM_KEY.pack(writer.start_ns, writer.pid, writer.exec_id)


def decode_args(data: bytes) -> tuple[bytes, ...]:
    """Decode a value of the map ``writer_args``: arguments, the last one cut if they did not fit."""
    length, stored = WRITER_ARGS.unpack(data)
    return tuple(stored[:length].removesuffix(b"\0").split(b"\0")) if length else ()


def decode_ancestors(raw: bytes) -> tuple[Ancestor, ...]:
    """Decode ``ExecRecord.raw_ancestors``, parent first."""
    # The record has room for ANCESTORS; process 1 or 0 is the last that counts.
    found = []
    for at in range(0, len(raw), ANCESTOR.size):
        found.append(_ancestor(raw, at))
        if found[-1].tgid <= 1:
            break
    return tuple(found)


def _ancestor(raw: bytes, at: int) -> Ancestor:
    start, tgid, _, comm = ANCESTOR.unpack_from(raw, at)
    return Ancestor(start, tgid, _text(comm))
