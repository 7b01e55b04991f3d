"""Table of processes, so that an event can name its ancestors by program and command line.

Exec records fill the table; processes that run before the sensor come from /proc (``inventory``). The table is
bounded: an ancestor that it does not have any more is named by the comm in the exec record.
"""

from __future__ import annotations

import os
import shlex
from collections import OrderedDict
from pathlib import Path

import msgspec

from driftline.events import text
from driftline.sensor.bpf.records import (
    ANCESTORS,
    TICK_NS,
    Ancestor,
    ExecRecord,
    Head,
    OpenRecord,
    ProcessKey,
    decode_ancestors,
)

__all__ = ["Process", "ProcessTable", "command_line", "read_process", "running_pids"]

_COMMAND_LINE_MAX = 8192
"""Characters of a command line in an event."""
_ENDED_KEPT = 2048
"""Processes kept after their end, for records of their children and files that are handled later."""
_RUNNING_KEPT = 32768
"""Processes kept as running; the one added first is dropped when there are more."""


class Process(msgspec.Struct, frozen=True):
    """One process as it was at its last exec."""

    key: ProcessKey
    """Pid and start tick."""
    start_ns: int
    """Time of the fork: boot-time clock, nanoseconds; only to the tick if it comes from /proc."""
    program: bytes
    """Path of its program file in its container; the comm in ``[]`` if the path is unknown."""
    argv: tuple[bytes, ...]
    """Arguments; empty if unknown."""
    device: int = 0
    """``st_dev`` of the program file; 0 if unknown."""
    inode: int = 0
    """Inode number of the program file; 0 if unknown."""
    parent: ProcessKey | None = None
    """Its parent at the exec; ``None`` if unknown."""
    script: bytes = b""
    """Path of the ``#!`` script that it was started as; empty for other programs."""
    container_id: str = ""
    """Id of its container; empty for processes of the node."""
    programs: frozenset[tuple[int, int]] = frozenset()
    """Device and inode of every program file it has executed, the present one included."""
    session: ProcessKey | None = None
    """First process of its exec session; ``None`` outside of sessions."""
    raw_ancestors: bytes = b""
    """Its ancestors at the exec, as in the record; empty for a process from /proc."""
    layout: tuple[int, int] = (0, 0)
    """Addresses of its stack and its arguments, at random for each exec; zeros if it does not come from /proc."""
    cwd: bytes = b""
    """Its working directory at the exec, from the root of its mount namespace; empty if unknown."""


class ProcessTable:
    """Running processes, and the last ``_ENDED_KEPT`` that ended."""

    def __init__(self) -> None:
        """Begin empty."""
        self._running: OrderedDict[ProcessKey, Process] = OrderedDict()
        self._ended: OrderedDict[ProcessKey, Process] = OrderedDict()
        self._by_pid: dict[int, ProcessKey] = {}

    def executed(self, record: ExecRecord, container_id: str) -> Process:
        """Add the process of an exec record, in place of what it ran before; return it."""
        head, parent = record.head, record.parent
        key = ProcessKey.at(head.tgid, head.start)
        # An exec replaces the program of a process; the programs before stay known, for late records of mappings.
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
            record.session,
            record.raw_ancestors,
            cwd=record.cwd,
        )
        self.add(process)
        return process

    def add(self, process: Process) -> None:
        """Add a running process."""
        self._running[process.key] = process
        self._by_pid[process.key.pid] = process.key
        if len(self._running) > _RUNNING_KEPT:
            self._forget(self._running.popitem(last=False)[0])

    def ended(self, head: Head) -> Process | None:
        """Mark the process of an exit record as ended; return it, ``None`` if it is unknown."""
        key = ProcessKey.at(head.tgid, head.start)
        process = self._running.pop(key, None)
        if process is None:
            return None
        self._forget(key)
        self._ended[key] = process
        if len(self._ended) > _ENDED_KEPT:
            self._ended.popitem(last=False)
        return process

    # The pid may have been reused by a process that was added meanwhile.
    def _forget(self, key: ProcessKey) -> None:
        if self._by_pid.get(key.pid) == key:
            del self._by_pid[key.pid]

    def find(self, key: ProcessKey) -> Process | None:
        """Return the process with this key, running or ended; ``None`` if it is unknown."""
        return self._running.get(key) or self._ended.get(key)

    def of_open(self, record: OpenRecord) -> Process | None:
        """Return the process of an open record; ``None`` if it is unknown and has ended.

        A process that has executed nothing since its fork, such as a subshell, is its nearest ancestor that runs the
        same program, under a key of its own.
        """
        key = ProcessKey.at(record.head.tgid, record.head.start)
        found = self.find(key)
        if found:
            return found
        above = [self.find(ProcessKey.at(it.tgid, it.start)) for it in record.ancestors]
        model = next((it for it in above if it and record.program in it.programs), None)
        if model is None:
            return read_process(record.head.tgid)
        parent = record.ancestors[0]
        return msgspec.structs.replace(
            model,
            key=key,
            start_ns=record.head.start,
            parent=ProcessKey.at(parent.tgid, parent.start),
            script=b"",
            raw_ancestors=record.raw_ancestors,
        )

    def running(self, pid: int) -> Process | None:
        """Return the process that has this pid now; ``None`` if it is unknown."""
        key = self._by_pid.get(pid)
        return self._running[key] if key else None

    def parent(self, record: ExecRecord) -> Process | None:
        """Return the parent process of an exec; ``None`` for process 1."""
        return self._ancestor(record.parent) if record.parent else None

    def ancestors(self, process: Process) -> tuple[Process, ...]:
        """Return the ancestors of a process, parent first: ``ANCESTORS`` at most.

        They are those at its exec; of a process that has only forked, those that /proc shows now.
        """
        if process.raw_ancestors:
            return tuple(self._ancestor(ancestor) for ancestor in decode_ancestors(process.raw_ancestors))
        found: list[Process] = []
        while process.parent and len(found) < ANCESTORS:
            process = self.find(process.parent) or _read_or_unknown(process.parent)
            found.append(process)
            if process.raw_ancestors:
                found += (self._ancestor(ancestor) for ancestor in decode_ancestors(process.raw_ancestors))
                break
        return tuple(found[:ANCESTORS])

    # Not in the table: a process of the node, or one that the table has dropped.
    def _ancestor(self, ancestor: Ancestor) -> Process:
        key = ProcessKey.at(ancestor.tgid, ancestor.start)
        return self.find(key) or Process(key, ancestor.start, b"[" + ancestor.comm + b"]", ())

    def __len__(self) -> int:
        return len(self._running)


def command_line(argv: tuple[bytes, ...]) -> str:
    """Join arguments into one line that a shell would split the same way.

    A line of more than ``_COMMAND_LINE_MAX`` characters is cut and ends with an ellipsis.
    """
    line = shlex.join([text(argument) for argument in argv])
    return line if len(line) <= _COMMAND_LINE_MAX else line[:_COMMAND_LINE_MAX] + "…"


def running_pids() -> list[int]:
    """Return the pids in /proc, in no order."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def read_process(pid: int) -> Process | None:
    """Return a running process from /proc; ``None`` if it has ended or is a kernel thread.

    Without script and container; with its parent if that still runs.
    """
    folder = Path("/proc", str(pid))
    fields = _stat_fields(pid)
    try:
        program = os.readlink(os.fsencode(folder / "exe"))
        cwd = os.readlink(os.fsencode(folder / "cwd"))
        argv = (folder / "cmdline").read_bytes().removesuffix(b"\0").split(b"\0")
        exe = (folder / "exe").stat()
    except OSError:
        return None
    if not fields:
        return None
    start_ticks = int(fields[19])  # field 22, starttime (proc_pid_stat(5)); field 4 is the parent
    key = ProcessKey(pid, start_ticks)
    parent = _parent(int(fields[1]), start_ticks)
    layout = (int(fields[25]), int(fields[45]))  # fields 28 and 48, startstack and arg_start
    return Process(
        key, start_ticks * TICK_NS, program, tuple(argv), exe.st_dev, exe.st_ino, parent, layout=layout, cwd=cwd
    )


# A process that started after its child is not the parent: it has its pid by now.
def _parent(pid: int, child_start: int) -> ProcessKey | None:
    fields = _stat_fields(pid)
    return ProcessKey(pid, int(fields[19])) if fields and int(fields[19]) <= child_start else None


# The comm in parentheses may contain spaces and parentheses itself: fields are counted from its end.
def _stat_fields(pid: int) -> list[bytes]:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return []
    return stat[stat.rindex(b")") + 2 :].split()


def _read_or_unknown(key: ProcessKey) -> Process:
    found = read_process(key.pid)
    return found if found and found.key == key else Process(key, key.start_ns, b"", ())
