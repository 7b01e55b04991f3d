"""Input of the verdict: the kernel's data on an executed file, and the file systems of its container.

The records are plain data. The sensor fills them from eBPF records, ``/proc/PID/mountinfo`` and the
container runtime. Paths are bytes, because Linux paths need not be UTF-8.
"""

from __future__ import annotations

import datetime
import enum

import msgspec

from driftline.events import Container, Subject

__all__ = [
    "FUSE_MAGIC",
    "HUGETLBFS_MAGIC",
    "OVERLAYFS_MAGIC",
    "RAMFS_MAGIC",
    "TMPFS_MAGIC",
    "ContainerRoot",
    "Digest",
    "Execution",
    "FileFacts",
    "Mount",
    "Writer",
    "WriterPlace",
]

# Magic numbers of superblocks: include/uapi/linux/magic.h.
OVERLAYFS_MAGIC = 0x794C7630
TMPFS_MAGIC = 0x01021994
RAMFS_MAGIC = 0x858458F6
HUGETLBFS_MAGIC = 0x958458F6
FUSE_MAGIC = 0x65735546


class WriterPlace(enum.StrEnum):
    """Place of a writing process, seen from the container that executes the file."""

    CONTAINER = "container"
    """The same container."""
    OTHER_CONTAINER = "other-container"
    """Another container of the node: through a shared volume, or through its process's root."""
    NODE = "node"
    """The node itself, outside of every container."""
    UNKNOWN = ""
    """Its cgroup belongs to no known container, and it is in a mount namespace other than the node's."""


class Writer(msgspec.Struct, frozen=True, kw_only=True):
    """The process that last changed the bytes of a file, or last opened it for writing, as the kernel saw it."""

    pid: int
    """Process id on the node."""
    start_ns: int
    """Boot-time clock at the fork of the process, in nanoseconds; unique together with ``pid``."""
    comm: bytes
    """Name of the process's thread in the kernel (``comm``), at most 15 bytes."""
    time: datetime.datetime
    """Time of the last change, aware, UTC; of a shared mapping the time of mmap(2)."""
    operation: str = ""
    """Kind of the change: write, truncate, allocate, mapping or copy; empty for an open."""
    exec_id: int = 0
    """Number of execs of the process before the change: tells its programs apart."""
    cgroup: tuple[int, int] = (0, 0)
    """Id and hierarchy of its cgroup."""
    mnt_ns: int = 0
    """Inode number of its mount namespace."""
    size: int = -1
    """Size of the file after the change, in bytes; -1 for an open."""
    argv: tuple[bytes, ...] = ()
    """Its arguments at the change, the last one cut if they are long; empty if unknown."""
    place: WriterPlace = WriterPlace.UNKNOWN
    """Place of the process."""
    container: Container | None = None
    """Its container; ``None`` for a process of the node and if it is unknown."""


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The kernel's data on a file when it was executed, mapped executable or read as a script.

    ``path`` is for people and for policies, ``fs_path`` for the comparison with the image. ``upper`` and
    ``lowers`` are meaningful on overlayfs only, and only for the container's own root overlay do they say
    that a file is the image's.
    """

    path: bytes
    """Path in the container: through all mounts, from the root of its mount namespace."""
    fs_path: bytes
    """Path from the root of its own file system. On the container's root overlay this is the path in
    the image, independent of bind mounts, chroots and mount namespaces."""
    device: int
    """Device number of its superblock (``st_dev``), encoded as by ``os.makedev``."""
    inode: int
    """Inode number (``st_ino``)."""
    size: int
    """Size in bytes."""
    mode: int
    """File type and permissions (``st_mode``)."""
    ctime_ns: int
    """Time of the last status change, nanoseconds since 1970 (UTC); 0 if unknown."""
    nlink: int
    """Number of hard links; 0 for a deleted file and for a memfd, -1 if unknown."""
    magic: int
    """Magic number of its superblock (``statfs.f_type``)."""
    fs_type: str
    """Name of the file-system type: ``overlay``, ``tmpfs``, ``ext4`` …"""
    upper: bool = False
    """On overlayfs: the file has an upper dentry, so it is new or was copied up."""
    lowers: int = 0
    """On overlayfs: the number of lower layers that have the file; 0 for a new file."""
    truncated: bool = False
    """Whether the paths lack their first components, because they exceed the limits of the eBPF program."""
    kernel_key: bytes = b""
    """Key of its bytes in the maps of the eBPF programs: inode, device and generation; empty if unknown."""
    writer: Writer | None = None
    """The process that last changed its bytes; ``None`` if none was seen."""
    opener: Writer | None = None
    """The process that last opened it for writing, whether it wrote or not; ``None`` if none was seen."""


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the container's ``/proc/PID/mountinfo`` (proc_pid_mountinfo(5))."""

    device: int
    """Device number of the superblock, encoded as by ``os.makedev``."""
    root: bytes
    """Path of the mounted directory within its file system; ``/`` if the whole file system is mounted."""
    path: bytes
    """Mount point, relative to the root of the process."""
    fs_type: str
    """Name of the file-system type."""
    source: bytes
    """Mount source, specific to the file system: a device for example."""
    options: str
    """Options of the superblock (not of the mount), comma-separated, with the kernel's octal escapes."""
    id: int = 0
    """Mount id; 0 if unknown."""


class ContainerRoot(msgspec.Struct, frozen=True, kw_only=True):
    """The root file system and the mounts with which a container was started.

    The sensor reads it from the container's first process as early as possible. Mounts that the container
    makes afterwards are not part of it: files on a new file system have the origin tmpfs, host or unknown.
    """

    device: int
    """Device number of the file system mounted at ``/``; 0 if unknown."""
    upperdir: bytes = b""
    """Path of the writable layer on the node; empty if unknown or not overlayfs."""
    lowerdirs: tuple[bytes, ...] = ()
    """Paths of the image's layers on the node, topmost first."""
    mounts: tuple[Mount, ...] = ()
    """Mounts of the container's first process; empty if they could not be read."""
    host_devices: frozenset[int] = frozenset()
    """Device numbers of the file systems that the node itself has mounted."""


class Digest(msgspec.Struct, frozen=True):
    """Digest of a file's bytes, read as a whole after its execution."""

    sha256: str
    """64 lower-case hexadecimal digits."""
    size: int
    """Number of bytes read."""
    changed: bool = False
    """Whether the file changed between execution and reading. The executed bytes may then have been
    different, so the digest cannot prove that they were the image's."""


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """An execution to evaluate."""

    subject: Subject
    """Kind of execution."""
    file: FileFacts
    """The executed file."""
    time: datetime.datetime
    """Time of the execution, aware, UTC."""
    image: str = ""
    """Image as named in the reason, ``name@digest``; empty if unknown."""
