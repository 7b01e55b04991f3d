"""Mounts of a process, from ``/proc/PID/mountinfo`` (proc_pid_mountinfo(5))."""

from __future__ import annotations

import os
import re
from pathlib import Path

from driftline.errors import Unreadable
from driftline.verdict import Mount

__all__ = ["parse_mountinfo", "read_mountinfo", "unescape"]

_OCTAL = re.compile(rb"\\([0-7]{3})")


def read_mountinfo(pid: int) -> tuple[Mount, ...]:
    """Read the mounts in the mount namespace of process ``pid``, in the order of the file.

    Raises ``Unreadable`` if the process has ended.
    """
    try:
        return parse_mountinfo(Path(f"/proc/{pid}/mountinfo").read_bytes())
    except OSError as error:
        raise Unreadable(f"the mounts of process {pid} cannot be read: {error.strerror}") from error


def parse_mountinfo(data: bytes) -> tuple[Mount, ...]:
    """Parse the content of a mountinfo file; raise ``ValueError`` for a malformed line."""
    return tuple(_parse_line(line) for line in data.split(b"\n") if line)


def unescape(field: bytes) -> bytes:
    """Decode the octal escapes of a field or mount option (``seq_path``, ``seq_show_option``, fs/seq_file.c)."""
    return _OCTAL.sub(lambda match: bytes((int(match[1], 8),)), field)


def _parse_line(line: bytes) -> Mount:
    fields = line.split(b" ")
    # Field 7 repeats zero or more times (shared:N, master:N …); a single dash ends it.
    dash = fields.index(b"-", 6)
    major, _, minor = fields[2].partition(b":")
    return Mount(
        id=int(fields[0]),
        device=os.makedev(int(major), int(minor)),
        root=unescape(fields[3]),
        path=unescape(fields[4]),
        fs_type=fields[dash + 1].decode(errors="replace"),
        source=unescape(fields[dash + 2]),
        options=os.fsdecode(fields[dash + 3]),
    )
