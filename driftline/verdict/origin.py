"""The location of a file's bytes, from the kernel's data and the mounts of the container's first process.

Names are not trusted. A container can mount, bind, chroot and pivot, and can give a memfd any name; it
cannot choose the device number of a superblock. So every rule compares the superblock first, and paths
only within one superblock.
"""

from __future__ import annotations

import re
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

_WRITTEN_BY_KUBELET = (VolumeKind.CONFIG_MAP, VolumeKind.SECRET, VolumeKind.PROJECTED)
_SNAPSHOT = re.compile(rb"\.\.\d{4}(_\d\d){5}\.\d+")  # "..2006_01_02_15_04_05." and a random number
_MEMORY_MAGICS = (TMPFS_MAGIC, RAMFS_MAGIC, HUGETLBFS_MAGIC)


class FileLocation(msgspec.Struct, frozen=True):
    """Location of one file."""

    origin: Origin
    """Kind of the location."""
    path: bytes
    """Path in the container; the kernel's name of a memfd."""
    image_path: bytes = b""
    """Path to look up in the image; empty for files in memory, which have no path."""
    in_image_tree: bool = False
    """Whether the file is on the root file system with which the container was started, and not on a
    file system mounted over it. Only such a file can be the image's own."""
    volume: VolumeKind | None = None
    """Kind of the volume; ``None`` for other origins."""
    mount: bytes = b""
    """Mount point of a volume or tmpfs; empty for other origins."""


def locate(file: FileFacts, root: ContainerRoot, volumes: Sequence[VolumeMount] = ()) -> FileLocation:
    """Return the location of a file.

    ``volumes`` are the mounts of the container's specification, which add the kinds of volumes. If the
    mounts of ``root`` are unknown, volumes are found by their paths alone.
    """
    # The order matters: the root overlay is recognised by its device number alone, memory by a mount that is
    # missing everywhere, and only then the mount table is consulted.
    if _is_on_root(file, root):
        return _on_root(file, root)
    if _is_memory(file, root):
        return FileLocation(Origin.MEMORY, file.fs_path)
    mount = mount_of(file, root.mounts)
    if mount and mount.path == b"/":
        return FileLocation(_unless_deleted(file, Origin.WRITABLE_LAYER), file.path, file.path, in_image_tree=True)
    return _mounted(file, root, mount.path if mount else _volume_path(file, root, volumes), volumes)


def is_lower(file: FileFacts, root: ContainerRoot) -> bool:
    """Return whether a file is in a read-only layer of the image, according to the kernel.

    The container cannot change such a file. Only the container's own root overlay counts: an overlay
    mounted inside the container can have a dropped file in its lower layer.
    """
    return file.device == root.device and file.magic == OVERLAYFS_MAGIC and not file.upper


def _is_on_root(file: FileFacts, root: ContainerRoot) -> bool:
    return file.device == root.device and file.device != 0 and not _is_bound(file, root)


# A root that is not an overlay can share its superblock with volumes, so the mount table decides. With
# containerd's native snapshotter both are directories on the node's disk.
def _is_bound(file: FileFacts, root: ContainerRoot) -> bool:
    return file.magic != OVERLAYFS_MAGIC and bool(root.mounts)


def _on_root(file: FileFacts, root: ContainerRoot) -> FileLocation:
    origin = Origin.IMAGE if is_lower(file, root) else Origin.WRITABLE_LAYER
    image_path = file.fs_path if file.magic == OVERLAYFS_MAGIC else file.path
    return FileLocation(_unless_deleted(file, origin), file.path, image_path, in_image_tree=True)


# A deleted file has no link. Its origin is "deleted" wherever it was.
def _unless_deleted(file: FileFacts, origin: Origin) -> Origin:
    return Origin.DELETED if file.nlink == 0 else origin


# A memfd, a System V segment and a shared anonymous mapping are files without links on internal mounts of tmpfs and
# hugetlbfs (shm_mnt in mm/shmem.c, hugetlbfs_vfsmount in fs/hugetlbfs/inode.c), which no mount table shows.
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
    path = _without_snapshot(file.path, mount) if kind in _WRITTEN_BY_KUBELET else file.path
    return FileLocation(_unless_deleted(file, Origin.VOLUME), path, path, volume=kind, mount=mount)


# kubelet writes such volumes to a dated directory, which the symlink "..data" leads to, and makes a symlink
# "NAME -> ..data/NAME" for each file (kubernetes/pkg/volume/util/atomic_writer.go). People and rules use the path
# through the symlink; the kernel knows the dated one, which changes with each update.
def _without_snapshot(path: bytes, mount: bytes) -> bytes:
    if not _lies_in(path, mount):
        return path
    folder, slash, rest = path[len(mount) :].lstrip(b"/").partition(b"/")
    return mount.rstrip(b"/") + b"/" + rest if slash and _SNAPSHOT.fullmatch(folder) else path


# A file that no mount of the container contains: on a file system of the node or of another part of a volume's disk
# it was reached from outside (/proc/1/root, a leaked descriptor); else it is on a mount that the container made.
def _unmounted(file: FileFacts, root: ContainerRoot) -> Origin:
    if file.device in root.host_devices or any(mount.device == file.device for mount in root.mounts):
        return Origin.HOST
    return Origin.TMPFS if file.magic in _MEMORY_MAGICS else Origin.UNKNOWN


def mount_of(file: FileFacts, mounts: Sequence[Mount]) -> Mount | None:
    """Return the mount that contains a file, by superblock and path within it; ``None`` if there is none.

    If several mounts contain it, the one with the longest root counts (the innermost directory), then one whose mount
    point is a prefix of the file's path in the container, then the one with the longest mount point.
    """
    holding = [m for m in mounts if m.device == file.device and _lies_in(file.fs_path, m.root)]
    if not holding:
        return None
    return max(holding, key=lambda m: (len(m.root), _lies_in(file.path, m.path), len(m.path)))


# The volume of a file by its path, if the process had ended before its mount table could be read.
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
