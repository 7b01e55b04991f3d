"""Mounts of a process, from ``/proc/PID/mountinfo`` (proc_pid_mountinfo(5))."""

from __future__ import annotations

import os
import re
from pathlib import Path

from driftline.errors import Unreadable
from driftline.verdict import Mount

__all__ = ["has_bundle", "parse_mountinfo", "read_mountinfo", "unescape"]

_OCTAL = re.compile(rb"\\([0-7]{3})")
# containerd pkg/identifiers/validate.go: namespaces and container ids.
_ID = re.compile(r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*")


def has_bundle(namespace: str, container_id: str, *, mounts: Path = Path("/proc/1/mountinfo")) -> bool:
    """Return whether a containerd of the node has mounted the root of such a container for the runtime.

    ``STATE/io.containerd.runtime.v2.task/NAMESPACE/ID/rootfs`` is mounted before the container's cgroups are made,
    and until it is deleted; the name of STATE is a setting of containerd. ``mounts`` are those of the node.
    """
    if not (_ID.fullmatch(namespace) and _ID.fullmatch(container_id)):
        return False
    path = rb"/io\.containerd\.runtime\.v[0-9][.a-z]*/" + re.escape(f"{namespace}/{container_id}/rootfs ".encode())
    try:
        return bool(re.search(path, mounts.read_bytes()))
    except OSError:
        return False


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
