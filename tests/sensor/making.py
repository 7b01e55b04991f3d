"""Records as the kernel side sends them, and processes made from them."""

from __future__ import annotations

import datetime
import stat
from typing import Any

from driftline.sensor.bpf.records import Cgroup, Head, OpenRecord, ProcessKey, RecordType
from driftline.sensor.tracking.processes import Process
from driftline.verdict import FileFacts, Writer
from driftline.verdict.facts import OVERLAYFS_MAGIC

NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)


def head(**changes: Any) -> Head:
    facts: dict[str, Any] = {
        "time": 10**12, "length": 0, "type": RecordType.OPEN, "flags": 0, "cgroup": Cgroup(7, 0), "start": 10**11,
        "tgid": 41, "pid": 41, "mnt_ns": 1, "root_device": 50,
    }  # fmt: skip
    return Head(**facts | changes)


def facts(path: bytes, *, written_by: bytes = b"") -> FileFacts:
    writer = Writer(pid=40, start_ns=1, comm=written_by, time=NOW) if written_by else None
    return FileFacts(
        path=path, fs_path=path, device=50, inode=9, size=1, mode=stat.S_IFREG | 0o644, ctime_ns=1, nlink=1,
        magic=OVERLAYFS_MAGIC, fs_type="overlay", upper=True, writer=writer,
    )  # fmt: skip


def opened(path: bytes, name: bytes | None = None, *, written_by: bytes = b"", flags: int = 0) -> OpenRecord:
    return OpenRecord(head(flags=flags), facts(path, written_by=written_by), path if name is None else name)


def process(program: bytes, *argv: bytes, **changes: Any) -> Process:
    return Process(ProcessKey(41, 10), 10**11, program, argv or (program,), **changes)
