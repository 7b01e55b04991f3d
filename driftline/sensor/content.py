"""Reading the bytes of what ran, from containers that may want to harm the reader.

A path from a container is never followed on the node: files are opened through the process's
own ``/proc/PID/exe``, or below ``/proc/PID/root`` by openat2(2) with RESOLVE_IN_ROOT and
RESOLVE_NO_MAGICLINKS, first as O_PATH, which has no side effects on FIFOs and devices. What was
opened must be the regular file of the record (its inode, or its size and ctime where overlayfs
shows the inode of another layer), and must still be so when it was read.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import stat
import struct
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress

from driftline.errors import Unreadable
from driftline.verdict import Digest, FileFacts

__all__ = ["Capture", "ContentReader"]

_OPENAT2 = 437  # the same number on every architecture since v5.6
_OPEN_HOW = struct.Struct("=QQQ")
_RESOLVE_NO_MAGICLINKS, _RESOLVE_NO_SYMLINKS, _RESOLVE_BENEATH, _RESOLVE_IN_ROOT = 0x02, 0x04, 0x08, 0x10
_IN_ROOT = _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS
_BENEATH = _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS
_CHUNK = 1 << 20
_MAX_BYTES = 1 << 30
_MAX_SECONDS = 30.0
_CACHED = 4096

_CacheKey = tuple[int, int, int, int]


class Capture:
    """An open file; whoever reads it closes it."""

    __slots__ = ("fd", "key")

    def __init__(self, fd: int, found: os.stat_result) -> None:
        self.fd = fd
        self.key: _CacheKey = (found.st_dev, found.st_ino, found.st_ctime_ns, found.st_size)

    def close(self) -> None:
        """Close it; a second time does nothing."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __del__(self) -> None:
        self.close()


class ContentReader:
    """Opens files of containers and hashes them, each version once."""

    def __init__(self, *, max_bytes: int = _MAX_BYTES) -> None:
        """Refuse files of more than ``max_bytes``."""
        self._max_bytes = max_bytes
        self._cache: OrderedDict[_CacheKey, Digest] = OrderedDict()
        self._lock = threading.Lock()

    def capture_program(self, pids: Sequence[int], file: FileFacts, *, upperdir: str = "") -> Capture | None:
        """Open the program that the first of ``pids`` runs; ``None`` if it is gone.

        The other processes are of the same container: through their root the file may still be
        found when the first has ended. ``upperdir`` is the last resort.
        """
        return _open_exe(pids[0], file) or self.capture_path(pids, file, upperdir=upperdir)

    def capture_path(self, pids: Sequence[int], file: FileFacts, *, upperdir: str = "") -> Capture | None:
        """Open a file by the path that the processes of its container know; ``None`` if gone."""
        for pid in pids:
            found = _open_below(f"/proc/{pid}/root", file.path, file, _IN_ROOT)
            if found:
                return found
        return _open_below(upperdir, file.fs_path, file, _BENEATH) if upperdir else None

    def open_mapped(self, pids: Sequence[int], path: bytes, inode: int) -> Capture | None:
        """Open a file that was mapped, by the path its process knew; ``None`` if it is another now."""
        for pid in pids:
            try:
                fd = _open_regular(f"/proc/{pid}/root", path, _IN_ROOT)
            except OSError:
                continue
            capture = Capture(fd, os.fstat(fd))
            if capture.key[1] == inode:
                return capture
        return None

    def read(self, capture: Capture) -> Digest:
        """Hash the whole file and close it; raises ``Unreadable``."""
        try:
            with self._lock:
                known = self._cache.get(capture.key)
            return known or self._hash(capture)
        finally:
            capture.close()

    def _hash(self, capture: Capture) -> Digest:
        size = capture.key[3]
        if size > self._max_bytes:
            raise Unreadable(f"it has {size} bytes, more than the {self._max_bytes} that are read")
        digest = _sha256(capture.fd, size)
        after = os.fstat(capture.fd)
        if (after.st_ctime_ns, after.st_size) != capture.key[2:]:
            raise Unreadable("it changed while it was read")
        with self._lock:
            self._cache[capture.key] = digest
            if len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        return digest


def _sha256(fd: int, size: int) -> Digest:
    state, at, deadline = hashlib.sha256(), 0, time.monotonic() + _MAX_SECONDS
    try:
        while at < size and (chunk := os.pread(fd, _CHUNK, at)):
            state.update(chunk)
            at += len(chunk)
            if time.monotonic() > deadline:
                raise Unreadable(f"reading took more than {_MAX_SECONDS:.0f} s")
    except OSError as error:
        raise Unreadable(f"reading failed: {error.strerror}") from error
    return Digest(state.hexdigest(), at)


def _open_exe(pid: int, file: FileFacts) -> Capture | None:
    try:
        fd = os.open(f"/proc/{pid}/exe", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    return _checked(fd, file)


def _open_below(folder: str, path: bytes, file: FileFacts, resolve: int) -> Capture | None:
    try:
        return _checked(_open_regular(folder, path, resolve), file)
    except OSError:
        return None


# First as O_PATH, then the very same file for reading: nothing but a regular file is opened.
def _open_regular(folder: str, path: bytes, resolve: int) -> int:
    root = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        handle = _openat2(root, path.lstrip(b"/") or b".", os.O_PATH | os.O_CLOEXEC, resolve)
    finally:
        os.close(root)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "no regular file")
        return os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(handle)


def _checked(fd: int, file: FileFacts) -> Capture | None:
    found = os.fstat(fd)
    if _is_the_file(found, file):
        return Capture(fd, found)
    with suppress(OSError):
        os.close(fd)
    return None


# On overlayfs a copied-up file keeps the inode number of its lower file, or shows its upper
# one, depending on the layers' file systems (Documentation/filesystems/overlayfs.rst, "inode
# properties"); its size and ctime are those of the record either way.
def _is_the_file(found: os.stat_result, file: FileFacts) -> bool:
    is_same_inode = found.st_ino == file.inode
    is_same_version = (found.st_size, found.st_ctime_ns) == (file.size, file.ctime_ns)
    return stat.S_ISREG(found.st_mode) and (is_same_inode or is_same_version)


def _openat2(folder: int, path: bytes, flags: int, resolve: int) -> int:
    how = _OPEN_HOW.pack(flags, 0, resolve)
    fd = int(_libc.syscall(_OPENAT2, folder, path, how, len(how)))
    if fd < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return fd


_libc = ctypes.CDLL(None, use_errno=True)
