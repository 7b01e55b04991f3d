"""The processes seen, so that an event can name its parents by program and command line.

Execs fill the table; a process that runs already when the sensor starts comes from /proc. The
kernel's clock tick is the finest start time /proc gives (proc_pid_stat(5), starttime), so a
process's key is its id and the tick of its start: ids do not come round within a tick.
"""

from __future__ import annotations

import os
import shlex
from collections import OrderedDict
from pathlib import Path

import msgspec

from driftline.events import text
from driftline.sensor.bpf.records import TICK_NS, Ancestor, ExecRecord, Head, ProcessKey

__all__ = ["Process", "ProcessTable", "command_line", "read_process", "running_pids"]

_COMMAND_LINE_MAX = 8192
_ENDED_KEPT = 2048
_RUNNING_KEPT = 32768


class Process(msgspec.Struct, frozen=True):
    """One process as it was at its last exec."""

    key: ProcessKey
    start_ns: int
    program: bytes
    """Path of its program file in its container; in ``[]`` the comm, if that is all there is."""
    argv: tuple[bytes, ...]
    device: int = 0
    """``st_dev`` of the program file; 0 if it is not known."""
    inode: int = 0
    parent: ProcessKey | None = None
    script: bytes = b""
    """The ``#!`` file it was started as; empty for any other program."""
    container_id: str = ""
    programs: frozenset[tuple[int, int]] = frozenset()
    """Device and inode of every program file it has run, this one's included."""


class ProcessTable:
    """The processes that run, and the last that ended."""

    def __init__(self) -> None:
        self._running: OrderedDict[ProcessKey, Process] = OrderedDict()
        self._ended: OrderedDict[ProcessKey, Process] = OrderedDict()
        self._by_pid: dict[int, ProcessKey] = {}

    def executed(self, record: ExecRecord, container_id: str) -> Process:
        """Take in an exec; gives the process it made."""
        head, parent = record.head, record.parent
        key = ProcessKey.at(head.tgid, head.start)
        before = self._running.get(key)
        program = (record.file.device, record.file.inode)
        process = Process(
            key,
            head.start,
            record.file.path,
            record.argv,
            record.file.device,
            record.file.inode,
            ProcessKey.at(parent.tgid, parent.start) if parent else None,
            record.filename if record.filename != record.interp else b"",
            container_id,
            (before.programs if before else frozenset()) | {program},
        )
        self.add(process)
        return process

    def add(self, process: Process) -> None:
        """Take in a process that was found."""
        self._running[process.key] = process
        self._by_pid[process.key.pid] = process.key
        if len(self._running) > _RUNNING_KEPT:
            self._forget(self._running.popitem(last=False)[0])

    def ended(self, head: Head) -> Process | None:
        """Take in an exit; gives the process, if it was known."""
        key = ProcessKey.at(head.tgid, head.start)
        process = self._running.pop(key, None)
        if process is None:
            return None
        self._forget(key)
        self._ended[key] = process
        if len(self._ended) > _ENDED_KEPT:
            self._ended.popitem(last=False)
        return process

    def _forget(self, key: ProcessKey) -> None:
        if self._by_pid.get(key.pid) == key:
            del self._by_pid[key.pid]

    def find(self, key: ProcessKey) -> Process | None:
        """Give the process of this key, running or just ended."""
        return self._running.get(key) or self._ended.get(key)

    def running(self, pid: int) -> Process | None:
        """Give the process that has this id now, if it is known."""
        key = self._by_pid.get(pid)
        return self._running[key] if key else None

    def parent(self, record: ExecRecord) -> Process | None:
        """Give the process above an exec."""
        return self._ancestor(record.parent) if record.parent else None

    def ancestors(self, record: ExecRecord) -> tuple[Process, ...]:
        """List the processes above an exec, nearest first."""
        return tuple(self._ancestor(ancestor) for ancestor in record.ancestors)

    def _ancestor(self, ancestor: Ancestor) -> Process:
        key = ProcessKey.at(ancestor.tgid, ancestor.start)
        return self.find(key) or Process(key, ancestor.start, b"[" + ancestor.comm + b"]", ())

    def __len__(self) -> int:
        return len(self._running)


def command_line(argv: tuple[bytes, ...]) -> str:
    """Join arguments to one line that a shell would split the same way; long ones are cut."""
    line = shlex.join([text(argument) for argument in argv])
    return line if len(line) <= _COMMAND_LINE_MAX else line[:_COMMAND_LINE_MAX] + "…"


def running_pids() -> list[int]:
    """List the ids of the processes that run now."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def read_process(pid: int) -> Process | None:
    """Read a running process from /proc; ``None`` if it is gone or a kernel thread."""
    folder = Path("/proc", str(pid))
    try:
        stat = (folder / "stat").read_bytes()
        program = os.readlink(os.fsencode(folder / "exe"))
        argv = (folder / "cmdline").read_bytes().removesuffix(b"\0").split(b"\0")
        exe = (folder / "exe").stat()
    except OSError:
        return None
    # The name in parentheses may hold spaces and parentheses itself: fields count from its end.
    fields = stat[stat.rindex(b")") + 2 :].split()
    start_ticks = int(fields[19])
    key = ProcessKey(pid, start_ticks)
    return Process(key, start_ticks * TICK_NS, program, tuple(argv), exe.st_dev, exe.st_ino)
