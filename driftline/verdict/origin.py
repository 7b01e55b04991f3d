"""Where a file's bytes lie, by what the kernel and the container's first mount table say.

No name decides. A container can mount, bind, chroot and pivot as it likes, and call a memfd
what it wants; it cannot choose the device number of a superblock. So each question asks for
the superblock, and only within it for a path.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from driftline.events import Origin, VolumeKind, VolumeMount
from driftline.verdict.facts import (
    HUGETLBFS_MAGIC,
    OVERLAYFS_MAGIC,
    RAMFS_MAGIC,
    TMPFS_MAGIC,
    ContainerRoot,
    FileFacts,
    Mount,
)

__all__ = ["FileLocation", "is_lower", "locate", "mount_of"]

_MEMORY_MAGICS = (TMPFS_MAGIC, RAMFS_MAGIC, HUGETLBFS_MAGIC)


class FileLocation(msgspec.Struct, frozen=True):
    """Where one file lies."""

    origin: Origin
    path: bytes
    """Where the container finds it."""
    image_path: bytes = b""
    """The path under which an image would hold it; empty where no image path can lie."""
    in_image_tree: bool = False
    """Whether the file, if the image has it, is the image's own: it lies on the root the
    container was started with, not on something mounted over it."""
    volume: VolumeKind | None = None
    mount: bytes = b""
    """The mount point, for volumes and tmpfs."""


def locate(file: FileFacts, root: ContainerRoot, volumes: Sequence[VolumeMount] = ()) -> FileLocation:
    """Say where a file lies. ``volumes`` adds the kinds of the mounts."""
    if _is_on_root(file, root):
        return _on_root(file, root)
    if _is_memory(file, root):
        return FileLocation(Origin.MEMORY, file.fs_path)
    mount = mount_of(file, root.mounts)
    if mount and mount.path == b"/":
        return FileLocation(_unless_deleted(file, Origin.WRITABLE_LAYER), file.path, file.path, in_image_tree=True)
    return _mounted(file, root, mount.path if mount else _volume_path(file, root, volumes), volumes)


def is_lower(file: FileFacts, root: ContainerRoot) -> bool:
    """Tell whether the kernel vouches for a file: it is in a read-only layer of the image.

    Only the container's own root overlay counts. An overlay mounted inside the container can
    have a dropped file in a lower layer, too.
    """
    return file.device == root.device and file.magic == OVERLAYFS_MAGIC and not file.upper


def _is_on_root(file: FileFacts, root: ContainerRoot) -> bool:
    return file.device == root.device and file.device != 0 and not _is_bound(file, root)


# A root that is no overlay can share its superblock with volumes (containerd's native
# snapshotter: both are folders of the node's file system), so the mount table decides.
def _is_bound(file: FileFacts, root: ContainerRoot) -> bool:
    return file.magic != OVERLAYFS_MAGIC and bool(root.mounts)


def _on_root(file: FileFacts, root: ContainerRoot) -> FileLocation:
    origin = Origin.IMAGE if is_lower(file, root) else Origin.WRITABLE_LAYER
    image_path = file.fs_path if file.magic == OVERLAYFS_MAGIC else file.path
    return FileLocation(_unless_deleted(file, origin), file.path, image_path, in_image_tree=True)


def _unless_deleted(file: FileFacts, origin: Origin) -> Origin:
    return Origin.DELETED if file.nlink == 0 else origin


# A memfd, a System V segment and a shared anonymous mapping live on tmpfs and hugetlbfs mounts
# of the kernel's own (shm_mnt in mm/shmem.c), which no mount table shows, and have no link.
def _is_memory(file: FileFacts, root: ContainerRoot) -> bool:
    return (
        file.magic in _MEMORY_MAGICS
        and file.nlink == 0
        and file.device not in root.host_devices
        and all(mount.device != file.device for mount in root.mounts)
    )


def _mounted(file: FileFacts, root: ContainerRoot, mount: bytes, volumes: Sequence[VolumeMount]) -> FileLocation:
    if not mount:
        return FileLocation(_unless_deleted(file, _unmounted(file, root)), file.path, file.path)
    kind = _kind_at(mount, volumes)
    if kind == VolumeKind.OTHER and file.magic in _MEMORY_MAGICS:
        return FileLocation(_unless_deleted(file, Origin.TMPFS), file.path, file.path, mount=mount)
    return FileLocation(_unless_deleted(file, Origin.VOLUME), file.path, file.path, volume=kind, mount=mount)


def _unmounted(file: FileFacts, root: ContainerRoot) -> Origin:
    if file.device in root.host_devices or any(mount.device == file.device for mount in root.mounts):
        return Origin.HOST
    return Origin.TMPFS if file.magic in _MEMORY_MAGICS else Origin.UNKNOWN


def mount_of(file: FileFacts, mounts: Sequence[Mount]) -> Mount | None:
    """Find the mount that holds a file, by superblock and path within it."""
    holding = [m for m in mounts if m.device == file.device and _lies_in(file.fs_path, m.root)]
    if not holding:
        return None
    return max(holding, key=lambda m: (len(m.root), _lies_in(file.path, m.path), len(m.path)))


# For a process that was gone before its mount table could be read.
def _volume_path(file: FileFacts, root: ContainerRoot, volumes: Sequence[VolumeMount]) -> bytes:
    if root.mounts:
        return b""
    holding = [path for volume in volumes if _lies_in(file.path, path := _bytes(volume.path))]
    return max(holding, key=len, default=b"")


def _kind_at(mount: bytes, volumes: Sequence[VolumeMount]) -> VolumeKind:
    kinds = (VolumeKind(volume.kind) for volume in volumes if _bytes(volume.path) == mount)
    return next(kinds, VolumeKind.OTHER)


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape").rstrip(b"/") or b"/"


def _lies_in(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(folder if folder.endswith(b"/") else folder + b"/")
