"""Opening and looking at files of containers without being led astray or kept waiting.

Everything begins with an O_PATH handle: it opens no FIFO, device or FUSE file, and pins the
inode, so that what was checked is what is read. Handles come from openat2(2), which refuses
every symlink, and looks at nothing but the kernel's own cache (RESOLVE_CACHED), so that no
file-system server inside a container is asked anything. statx(2) takes cached attributes for
the same reason (AT_STATX_DONT_SYNC).
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import NamedTuple

__all__ = ["FileStat", "open_beneath", "open_entry", "open_magic_link", "open_to_read", "statx"]

_OPENAT2 = 437  # the same number on every architecture, as all system calls since v5.0
_OPEN_HOW = struct.Struct("=QQQ")
_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH, _CACHED = 0x01, 0x02, 0x04, 0x08, 0x20
_STRICT = _NO_MAGICLINKS | _NO_SYMLINKS | _BENEATH
_AT_EMPTY_PATH, _AT_STATX_DONT_SYNC = 0x1000, 0x4000
_STATX_BASIC_STATS, _STATX_MNT_ID = 0x7FF, 0x1000
# struct statx of linux/stat.h, as far as it is looked at
_STATX = struct.Struct("=16xIIIH2xQQ48xqI4x16xIIIIQ")
_STATX_SIZE = 256
_LONGEST = 4000  # below PATH_MAX, which openat2 keeps to
_RACES = 3  # a lookup in the cache fails, too, if a rename comes between

_libc = ctypes.CDLL(None, use_errno=True)


class FileStat(NamedTuple):
    """What a file is, without asking its file system."""

    device: int
    """``st_dev``; on overlayfs of several file systems and btrfs not the superblock's."""
    inode: int
    size: int
    mode: int
    nlink: int
    ctime_ns: int
    uid: int
    gid: int
    rdev: int
    """``st_rdev`` of a device."""
    mount_id: int
    """The mount it was opened through, as in mountinfo; 0 before v5.8."""


def statx(fd: int) -> FileStat:
    """Look at an open file or handle; raises ``OSError``."""
    buffer = ctypes.create_string_buffer(_STATX_SIZE)
    flags = _AT_EMPTY_PATH | _AT_STATX_DONT_SYNC
    if _libc.statx(fd, b"", flags, _STATX_BASIC_STATS | _STATX_MNT_ID, buffer):
        raise _error()
    nlink, uid, gid, mode, inode, size, seconds, nanoseconds, *numbers, mount_id = _STATX.unpack_from(buffer)
    rdev, device = os.makedev(*numbers[:2]), os.makedev(*numbers[2:])
    return FileStat(device, inode, size, mode, nlink, seconds * 10**9 + nanoseconds, uid, gid, rdev, mount_id)


def open_beneath(folder: int, path: bytes, *, cached: bool) -> int:
    """Open a handle of ``path`` below an open folder, through no symlink; raises ``OSError``.

    ``cached`` is for folders that a container has a say in: BlockingIOError then means that the
    path's file system would have to be asked. Paths may be longer than PATH_MAX.
    """
    fd, rest = os.dup(folder), path.strip(b"/")
    while len(rest) > _LONGEST:
        cut = max(rest.rfind(b"/", 0, _LONGEST), 0)  # the empty name before a far too long one is not found
        fd = _step(fd, rest[:cut], cached=cached)
        rest = rest[cut + 1 :]
    return _step(fd, rest, cached=cached)


def open_entry(folder: int, name: bytes) -> int:
    """Open a handle of whatever has this name in a folder, a symlink itself; raises ``OSError``.

    Its errno is EXDEV for a mount point, whose file system is then not even looked at.
    """
    fd = _try_openat2(folder, name, _STRICT | _NO_XDEV, flags=os.O_NOFOLLOW)
    if fd < 0:
        raise OSError(-fd, os.strerror(-fd))
    return fd


def open_magic_link(link: str) -> int:
    """Open a handle of what a link of /proc leads to; raises ``OSError``."""
    return os.open(link, os.O_PATH | os.O_CLOEXEC)


def open_to_read(handle: int) -> int:
    """Open the very file of a handle for reading, leaving its access time alone where allowed."""
    path, flags = f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        return os.open(path, flags | os.O_NOATIME)
    except PermissionError:  # open(2): for owners only, and an id outside of our user namespace has none
        return os.open(path, flags)


def _step(folder: int, path: bytes, *, cached: bool) -> int:
    try:
        return _openat2(folder, path, cached=cached)
    finally:
        os.close(folder)


def _openat2(folder: int, path: bytes, *, cached: bool) -> int:
    for _ in range(_RACES):
        fd = _try_openat2(folder, path, _STRICT | (_CACHED if cached else 0))
        if fd == -errno.EINVAL and cached:  # before v5.12
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
