"""What the verdict is decided from: the kernel's word on a file, and the container it ran in."""

from __future__ import annotations

import datetime

import msgspec

from driftline.events import Subject

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
]

# linux/magic.h
OVERLAYFS_MAGIC = 0x794C7630
TMPFS_MAGIC = 0x01021994
RAMFS_MAGIC = 0x858458F6
HUGETLBFS_MAGIC = 0x958458F6
FUSE_MAGIC = 0x65735546


class Writer(msgspec.Struct, frozen=True, kw_only=True):
    """The last process seen to open a file for writing, or to make or rename it."""

    pid: int
    start_ns: int
    """Boot-time clock at the fork of the process, nanoseconds: with ``pid`` it is unique."""
    comm: bytes
    program: bytes = b""
    """Path of the writer's program, if its exec was seen."""
    time: datetime.datetime


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel said of a file at the moment it was run, mapped or read as a script."""

    path: bytes
    """As the container sees it: through all mounts, from the root of its mount namespace."""
    fs_path: bytes
    """From the root of its own file system. On the container's root overlay this is the path
    the image knows, whatever bind mounts, chroots or mount namespaces lie in between."""
    device: int
    """``st_dev`` of its superblock, as ``os.makedev`` gives it."""
    inode: int
    size: int
    mode: int
    ctime_ns: int
    nlink: int
    magic: int
    """``s_magic`` of its superblock (``statfs.f_type``)."""
    fs_type: str
    """Name of the file-system type: ``overlay``, ``tmpfs``, ``ext4`` …"""
    upper: bool = False
    """On overlayfs: it has an upper dentry, so it is new or was copied up."""
    lowers: int = 0
    """On overlayfs: how many lower layers hold it; 0 for a file no layer has."""
    truncated: bool = False
    """Whether the paths are only their last parts, being too long or deep for the kernel side."""
    writer: Writer | None = None


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the container's ``/proc/PID/mountinfo`` (proc_pid_mountinfo(5))."""

    device: int
    root: bytes
    """The path within the file system that is mounted; ``/`` for the whole of it."""
    path: bytes
    """The mount point, from the root of the process."""
    fs_type: str
    source: bytes
    options: str
    """Options of the file system (not of the mount), comma-separated, with the kernel's octal escapes."""
    id: int = 0


class ContainerRoot(msgspec.Struct, frozen=True, kw_only=True):
    """The file-system view a container started with."""

    device: int
    """``st_dev`` of the file system mounted at ``/``; 0 if it is not known."""
    upperdir: bytes = b""
    """Path on the node of the writable layer; empty if it is not known or not overlayfs."""
    lowerdirs: tuple[bytes, ...] = ()
    """Paths on the node of the image's layers, topmost first."""
    mounts: tuple[Mount, ...] = ()
    host_devices: frozenset[int] = frozenset()
    """``st_dev`` of every file system the node itself has mounted."""


class Digest(msgspec.Struct, frozen=True):
    """The bytes of a file, as they were read whole after it ran."""

    sha256: str
    """64 lower-case hex digits."""
    size: int
    changed: bool = False
    """Whether the file was touched between its execution and the reading: the bytes may be
    others than those that ran, so that they prove nothing in its favour."""


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """One execution to judge."""

    subject: Subject
    file: FileFacts
    time: datetime.datetime
    image: str = ""
    """What to call the image in the reason, as ``name@digest``."""
