"""The mounts of a container, from its processes' mountinfo (proc_pid_mountinfo(5))."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from driftline.errors import Unreadable
from driftline.events import VolumeKind, VolumeMount
from driftline.verdict import ContainerRoot, Mount

__all__ = ["container_root", "find_mount", "guess_volumes", "parse_mountinfo"]

_OCTAL = re.compile(rb"\\([0-7]{3})")
_COLONS = re.compile(rb"(?<!\\):+")
_NODE_PID = 1

# Folders of kubelet's below /var/lib/kubelet/pods/UID/volumes (kubelet_getters.go); a mount's
# root shows them where the volume is a folder of the node's disk.
_KUBELET_VOLUME = re.compile(rb"/pods/[0-9a-f-]{32,36}/volumes/kubernetes\.io~([a-z-]+)/")
_KUBELET_KINDS = {
    b"empty-dir": VolumeKind.EMPTY_DIR,
    b"configmap": VolumeKind.CONFIG_MAP,
    b"secret": VolumeKind.SECRET,
    b"projected": VolumeKind.PROJECTED,
    b"csi": VolumeKind.PVC,
    b"local-volume": VolumeKind.PVC,
}


def container_root(pid: int) -> ContainerRoot:
    """Read the file-system view of a container's process; raises ``Unreadable`` if it is gone.

    ``pid`` should be the container's first process, before it could change its mounts. The
    layers' paths are only given for a root that the node has mounted, too, as container runtimes
    do: those of an overlay mounted inside the container are the container's words.
    """
    mounts = _read(pid)
    root = next((mount for mount in reversed(mounts) if mount.path == b"/"), None)
    if root is None:
        raise Unreadable(f"process {pid} has no mount at /")
    host_devices = frozenset(mount.device for mount in _read(_NODE_PID))
    is_the_nodes = root.fs_type == "overlay" and root.device in host_devices
    upper, lowers = _layers(root.options) if is_the_nodes else (b"", ())
    return ContainerRoot(device=root.device, upperdir=upper, lowerdirs=lowers, mounts=mounts, host_devices=host_devices)


def find_mount(pid: int, mount_id: int) -> Mount | None:
    """Find a mount of a process by its id (statx(2), ``stx_mnt_id``); ``None`` if it is not there."""
    try:
        return next((mount for mount in _read(pid) if mount.id == mount_id), None)
    except Unreadable:
        return None


def guess_volumes(mounts: Sequence[Mount]) -> tuple[VolumeMount, ...]:
    """Tell kubelet's volumes by their folders, for a container whose runtime does not list them."""
    found = ((mount, _KUBELET_VOLUME.search(mount.root + b"/")) for mount in mounts)
    return tuple(
        VolumeMount(
            path=os.fsdecode(mount.path),
            source=os.fsdecode(mount.root),
            kind=str(_KUBELET_KINDS.get(volume[1], VolumeKind.OTHER)),
        )
        for mount, volume in found
        if volume
    )


def parse_mountinfo(data: bytes) -> tuple[Mount, ...]:
    """Parse a whole mountinfo file; raises ``ValueError`` for a line that is none."""
    return tuple(_parse_line(line) for line in data.split(b"\n") if line)


def _read(pid: int) -> tuple[Mount, ...]:
    try:
        return parse_mountinfo(Path(f"/proc/{pid}/mountinfo").read_bytes())
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
        options=os.fsdecode(fields[dash + 3]),
    )


# seq_path and seq_show_option escape blanks and backslashes as octal (fs/seq_file.c).
def _unescape(field: bytes) -> bytes:
    return _OCTAL.sub(lambda match: bytes((int(match[1], 8),)), field)


# Since v6.8 an overlay mounted layer by layer shows one lowerdir+ for each.
def _layers(options: str) -> tuple[bytes, tuple[bytes, ...]]:
    upper, lowers = b"", list[bytes]()
    for option in os.fsencode(options).split(b","):
        name, _, value = _unescape(option).partition(b"=")
        if name == b"upperdir":
            upper = _plain(value)
        elif name == b"lowerdir":
            lowers += map(_plain, _COLONS.split(value))
        elif name == b"lowerdir+":
            lowers.append(_plain(value))
    return upper, tuple(_absolute(lower, upper) for lower in lowers if lower)


# overlayfs.rst: a colon in a folder's name has a backslash before it
def _plain(value: bytes) -> bytes:
    return re.sub(rb"\\([:\\])", rb"\1", value)


# containerd and CRI-O mount many layers from the folder above them all, to fit the options into
# a page: "47/fs:46/fs", "l/ABCD". Their writable layer lies two levels below it.
def _absolute(lower: bytes, upper: bytes) -> bytes:
    if lower.startswith(b"/") or not upper:
        return lower
    return os.path.normpath(upper + b"/../../" + lower)
