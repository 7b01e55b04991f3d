"""Safe opening of files in containers: without following symlinks out of them, and without blocking.

Every access begins with an O_PATH handle. It does not open a FIFO, device or FUSE file, and it pins the inode, so
that the file that was checked is the file that is read. Handles come from openat2(2) with flags that refuse every
symlink and, where requested, resolve only in the kernel's dentry cache (RESOLVE_CACHED), so that no file-system
server inside a container can delay the sensor. statx(2) takes cached attributes for the same reason
(AT_STATX_DONT_SYNC).
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import NamedTuple

__all__ = [
    "FileStat",
    "open_beneath",
    "open_entry",
    "open_in_root",
    "open_magic_link",
    "open_on_mount",
    "open_to_read",
    "statx",
]

_OPENAT2 = 437  # glibc does not wrap it; system calls since v5.0 have the same number on every architecture
_OPEN_HOW = struct.Struct("=QQQ")
# RESOLVE_* flags of linux/openat2.h
_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH, _IN_ROOT, _CACHED = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_STRICT = _NO_MAGICLINKS | _NO_SYMLINKS | _BENEATH
_AT_EMPTY_PATH, _AT_STATX_DONT_SYNC = 0x1000, 0x4000
_STATX_BASIC_STATS, _STATX_BTIME, _STATX_MNT_ID = 0x7FF, 0x800, 0x1000
# struct statx of linux/stat.h, the members that are used
_STATX = struct.Struct("=I12xIIIH2xQQ32xqI4xqI4xqI4xIIIIQ")
_STATX_SIZE = 256
_MAX_LOOKUP = 4000  # bytes of one lookup; openat2 accepts less than PATH_MAX (4096)
_TRIES = 3  # a lookup in the cache also fails (EAGAIN) if a rename happens meanwhile

_libc = ctypes.CDLL(None, use_errno=True)


class FileStat(NamedTuple):
    """Attributes of a file, from the kernel's cache."""

    device: int
    """``st_dev``; on btrfs, and on overlays over several file systems, it differs from the superblock's device."""
    inode: int
    """Inode number."""
    size: int
    """Bytes."""
    mode: int
    """Type and permission bits (inode(7))."""
    nlink: int
    """Number of hard links; 0 if deleted."""
    ctime_ns: int
    """Time of the last status change: nanoseconds since 1970, UTC."""
    uid: int
    """Owner."""
    gid: int
    """Group."""
    rdev: int
    """``st_rdev`` of a device file."""
    mount_id: int
    """Id of the mount that it was opened through, as in mountinfo; 0 before Linux 5.8."""
    mtime_ns: int = 0
    """Time of the last change of the content, which its owner can set: nanoseconds since 1970, UTC."""
    birth_ns: int = 0
    """Time of its creation: nanoseconds since 1970, UTC; 0 if the file system does not keep it."""


def statx(fd: int) -> FileStat:
    """Return the attributes of an open file or O_PATH handle; raises ``OSError``."""
    buffer = ctypes.create_string_buffer(_STATX_SIZE)
    flags = _AT_EMPTY_PATH | _AT_STATX_DONT_SYNC
    if _libc.statx(fd, b"", flags, _STATX_BASIC_STATS | _STATX_BTIME | _STATX_MNT_ID, buffer):
        raise _error()
    mask, nlink, uid, gid, mode, inode, size, *times, a, b, c, d, mount_id = _STATX.unpack_from(buffer)
    birth, ctime, mtime = (times[at] * 10**9 + times[at + 1] for at in (0, 2, 4))
    rdev, device = os.makedev(a, b), os.makedev(c, d)
    birth = birth if mask & _STATX_BTIME else 0
    return FileStat(device, inode, size, mode, nlink, ctime, uid, gid, rdev, mount_id, mtime, birth)


def open_beneath(folder: int, path: bytes, *, cached: bool) -> int:
    """Open an O_PATH handle of ``path`` below an open directory, without following symlinks.

    With ``cached``, the path is resolved only in the kernel's cache, and ``BlockingIOError`` means that its file
    system would have to be consulted; set it for directories of a container. ``path`` may be longer than PATH_MAX.
    Raises ``OSError``.
    """
    fd, rest = os.dup(folder), path.strip(b"/")
    while len(rest) > _MAX_LOOKUP:
        cut = max(
            rest.rfind(b"/", 0, _MAX_LOOKUP), 0
        )  # one component longer than the limit: openat2 fails on the empty name
        fd = _step(fd, rest[:cut], cached=cached)
        rest = rest[cut + 1 :]
    return _step(fd, rest, cached=cached)


def open_in_root(root: int, path: bytes) -> int:
    """Open an O_PATH handle of a path as a process with this root does: links are followed, and never out of it.

    May block, since overlayfs does not resolve links in the kernel's cache. Raises ``OSError``.
    """
    return _opened(_try_openat2(root, path, _IN_ROOT | _NO_MAGICLINKS))


def open_on_mount(folder: int, path: bytes) -> int:
    """Open an O_PATH handle of ``path`` below an open directory, without following symlinks or crossing a mount point.

    So no other file system than that of the directory is consulted. Raises ``OSError``, with the errno EXDEV for a path
    that leads into a mount, and ENAMETOOLONG for one of PATH_MAX (4096) bytes or more.
    """
    return _opened(_try_openat2(folder, path.strip(b"/") or b".", _STRICT | _NO_XDEV))


def _opened(fd: int) -> int:
    if fd < 0:
        raise OSError(-fd, os.strerror(-fd))
    return fd


def open_entry(folder: int, name: bytes) -> int:
    """Open an O_PATH handle of one entry of a directory; of a symlink itself, not of its target.

    Raises ``OSError``, with the errno EXDEV for a mount point, whose file system is not consulted.
    """
    fd = _try_openat2(folder, name, _STRICT | _NO_XDEV, flags=os.O_NOFOLLOW)
    if fd < 0:
        raise OSError(-fd, os.strerror(-fd))
    return fd


def open_magic_link(link: str) -> int:
    """Open an O_PATH handle of the target of a magic link in /proc, such as /proc/PID/exe; raises ``OSError``."""
    return os.open(link, os.O_PATH | os.O_CLOEXEC)


def open_to_read(handle: int) -> int:
    """Open the file of an O_PATH handle for reading, without updating its access time where permitted.

    Raises ``OSError``.
    """
    path, flags = f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        return os.open(path, flags | os.O_NOATIME)
    except PermissionError:  # O_NOATIME needs the owner's rights (open(2)), or an owner that the user namespace maps
        return os.open(path, flags)


def _step(folder: int, path: bytes, *, cached: bool) -> int:
    try:
        return _openat2(folder, path, cached=cached)
    finally:
        os.close(folder)


def _openat2(folder: int, path: bytes, *, cached: bool) -> int:
    for _ in range(_TRIES):
        fd = _try_openat2(folder, path, _STRICT | (_CACHED if cached else 0))
        if fd == -errno.EINVAL and cached:  # RESOLVE_CACHED is unknown before v5.12
            fd = _try_openat2(folder, path, _STRICT)
        if fd not in (-errno.EAGAIN, -errno.EINTR):
            break
    if fd < 0:
        raise OSError(-fd, os.strerror(-fd))
    return fd


def _try_openat2(folder: int, path: bytes, resolve: int, *, flags: int = 0) -> int:
    how = _OPEN_HOW.pack(os.O_PATH | os.O_CLOEXEC | flags, 0, resolve)
    fd = int(_libc.syscall(_OPENAT2, folder, path, how, len(how)))
    return fd if fd >= 0 else -ctypes.get_errno()


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
