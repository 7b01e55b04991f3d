"""The mounts of a container, from its processes' mountinfo."""

from __future__ import annotations

import os

from driftline.cluster import OverlayDirs, overlay_dirs, read_mountinfo
from driftline.errors import Unreadable
from driftline.verdict import ContainerRoot, Mount

__all__ = ["container_root", "find_mount"]

_NODE_PID = 1


def container_root(pid: int) -> ContainerRoot:
    """Read the file-system view of a container's process; raises ``Unreadable`` if it is gone.

    ``pid`` should be the container's first process, before it could change its mounts. The
    layers' paths are only given for a root that the node has mounted, too, as container runtimes
    do: those of an overlay mounted inside the container are the container's words.
    """
    mounts = read_mountinfo(pid)
    root = next((mount for mount in reversed(mounts) if mount.path == b"/"), None)
    if root is None:
        raise Unreadable(f"process {pid} has no mount at /")
    host_devices = frozenset(mount.device for mount in read_mountinfo(_NODE_PID))
    dirs = overlay_dirs(root) if root.device in host_devices else OverlayDirs()
    return ContainerRoot(
        device=root.device,
        upperdir=os.fsencode(dirs.upperdir),
        lowerdirs=tuple(map(os.fsencode, dirs.lowerdirs)),
        mounts=mounts,
        host_devices=host_devices,
    )


def find_mount(pid: int, mount_id: int) -> Mount | None:
    """Find a mount of a process by its id (statx(2), ``stx_mnt_id``); ``None`` if it is not there."""
    try:
        return next((mount for mount in read_mountinfo(pid) if mount.id == mount_id), None)
    except Unreadable:
        return None
