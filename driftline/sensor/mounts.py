"""The mounts of a container, from its processes' mountinfo (proc_pid_mountinfo(5))."""

from __future__ import annotations

import os
import re
from pathlib import Path

from driftline.errors import Unreadable
from driftline.verdict import ContainerRoot, Mount

__all__ = ["container_root", "parse_mountinfo"]

_OCTAL = re.compile(rb"\\([0-7]{3})")


def container_root(pid: int) -> ContainerRoot:
    """Read the file-system view of a container's process; raises ``Unreadable`` if it is gone."""
    mounts = _read(str(pid))
    root = next((mount for mount in reversed(mounts) if mount.path == b"/"), None)
    if root is None:
        raise Unreadable(f"process {pid} has no mount at /")
    options = _options(root.options)
    return ContainerRoot(
        device=root.device,
        upperdir=options.get(b"upperdir", b""),
        lowerdirs=tuple(options.get(b"lowerdir", b"").split(b":")) if b"lowerdir" in options else (),
        mounts=mounts,
        host_devices=_host_devices(),
    )


def parse_mountinfo(data: bytes) -> tuple[Mount, ...]:
    """Parse a whole mountinfo file."""
    return tuple(_parse_line(line) for line in data.splitlines())


def _read(pid: str) -> tuple[Mount, ...]:
    try:
        return parse_mountinfo(Path("/proc", pid, "mountinfo").read_bytes())
    except OSError as error:
        raise Unreadable(f"the mounts of process {pid} cannot be read: {error.strerror}") from error


def _parse_line(line: bytes) -> Mount:
    fields = line.split(b" ")
    dash = fields.index(b"-", 6)  # optional fields come before it
    major, _, minor = fields[2].partition(b":")
    return Mount(
        id=int(fields[0]),
        device=os.makedev(int(major), int(minor)),
        root=_unescape(fields[3]),
        path=_unescape(fields[4]),
        fs_type=fields[dash + 1].decode(errors="replace"),
        source=_unescape(fields[dash + 2]),
        options=os.fsdecode(_unescape(fields[dash + 3])),
    )


def _unescape(field: bytes) -> bytes:
    return _OCTAL.sub(lambda match: bytes((int(match[1], 8),)), field)


def _options(options: str) -> dict[bytes, bytes]:
    pairs = (os.fsencode(option).partition(b"=") for option in options.split(","))
    return {name: value for name, _, value in pairs}


def _host_devices() -> frozenset[int]:
    return frozenset(mount.device for mount in _read("self"))
