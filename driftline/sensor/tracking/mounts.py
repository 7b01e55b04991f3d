"""Mounts of a container, from the mountinfo of its processes (proc_pid_mountinfo(5))."""

from __future__ import annotations

import os

import msgspec

from driftline.cluster import OverlayDirs, overlay_dirs, read_mountinfo
from driftline.errors import Unreadable
from driftline.verdict import ContainerRoot, Mount

__all__ = ["container_root", "find_mount", "with_node_of_now"]

_NODE_PID = 1  # init, in the node's own mount namespace


def container_root(pid: int) -> ContainerRoot:
    """Return root, layers and mounts as a container's process sees them; raises ``Unreadable`` if it has ended.

    ``pid`` should be the container's first process, before it can change its mounts. The paths of the layers are
    given only if the node has mounted the same overlay, as container runtimes do: an overlay that was mounted
    inside the container has layer paths that the container chose.
    """
    mounts = read_mountinfo(pid)
    # Several mounts can lie on /; the last one is on top.
    root = next((mount for mount in reversed(mounts) if mount.path == b"/"), None)
    if root is None:
        raise Unreadable(f"process {pid} has no mount at /")
    host_devices = _node_devices()
    dirs = overlay_dirs(root) if root.device in host_devices else OverlayDirs()
    return ContainerRoot(
        device=root.device,
        upperdir=os.fsencode(dirs.upperdir),
        lowerdirs=tuple(map(os.fsencode, dirs.lowerdirs)),
        mounts=mounts,
        host_devices=host_devices,
    )


def with_node_of_now(root: ContainerRoot, device: int) -> ContainerRoot:
    """Return a container's root for the verdict on a file of ``device``: with the devices that the node has now.

    The kernel gives the device numbers of overlays and tmpfs again when they are free, so that a mount made in the
    container can have the number of one that the node had at the container's start.
    """
    if device == root.device or any(mount.device == device for mount in root.mounts):
        return root
    try:
        return msgspec.structs.replace(root, host_devices=_node_devices())
    except Unreadable:
        return root


def _node_devices() -> frozenset[int]:
    return frozenset(mount.device for mount in read_mountinfo(_NODE_PID))


def find_mount(pid: int, mount_id: int) -> Mount | None:
    """Return the mount with this id (statx(2), ``stx_mnt_id``) in a process's mount namespace; ``None`` if unknown."""
    try:
        return next((mount for mount in read_mountinfo(pid) if mount.id == mount_id), None)
    except Unreadable:
        return None
