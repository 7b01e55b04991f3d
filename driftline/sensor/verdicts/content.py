"""Reading of executed files from containers, which may be hostile to the reader.

A read has two steps:

- *Capture*, at once, in the sensor's loop. It opens a handle (O_PATH) of the file, through ``/proc/PID/exe`` of the
  process or below ``/proc/PID/root`` without following any symlink, and checks that it is the file of the record by
  superblock and inode. It never blocks: a path that is not in the kernel's dentry cache is resolved later.
- *Read*, in another thread. It hashes regular files only, within limits of bytes and time. A file system that may
  never answer (FUSE, network) is read by a helper thread, which is abandoned if it stalls.

A change of a file's content also changes its ctime, which no system call can set. So a digest says if ctime or size
differ from the record (``Digest.changed``). Kernels count ctime in ticks of some milliseconds: a read starts after
the tick of the last change is over, so that every later change shows. That makes reads atomic and the cache exact.
One gap remains: a change between execution and read, within the tick of the last change before the execution.

A mapped file whose path is gone is captured through ``/proc/PID/map_files``, while its process lives. Rejected:
resolving paths on the node (a symlink in the container could lead to the node's files).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from driftline.errors import Unreadable
from driftline.sensor import safe_open
from driftline.sensor.tracking import mounts
from driftline.verdict import Digest, FileFacts

__all__ = ["Capture", "ChangedWhileRead", "ContentReader"]

_CHUNK = 1 << 20  # bytes of one read
_MAX_BYTES = 1 << 30
_MAX_SECONDS = 30.0
_STALL_SECONDS = 2.0
"""Seconds without progress after which a read from a slow file system is abandoned."""
_STALLED_MAX = 8
"""Helper threads at a time, abandoned ones included."""
_CACHED = 4096
"""Digests in the cache."""
_CLOCK_REALTIME_COARSE = 5  # linux/time.h; file systems take their timestamps from it (current_time, fs/inode.c)
_TICK_SECONDS = time.clock_getres(_CLOCK_REALTIME_COARSE)

# File systems on the node's own disk or memory, implemented by the kernel alone. Any other can block a reader, an
# overlay because of the layers below it.
_LOCAL = frozenset({"ext4", "ext3", "ext2", "xfs", "btrfs", "f2fs", "tmpfs", "ramfs", "hugetlbfs", "squashfs", "erofs"})
# File systems whose regular files have no stored content, may block (/proc/kmsg) or have side effects when read.
_PSEUDO = frozenset(
    {
        "proc",
        "sysfs",
        "debugfs",
        "tracefs",
        "securityfs",
        "cgroup",
        "cgroup2",
        "bpf",
        "configfs",
        "efivarfs",
        "pstore",
        "binfmt_misc",
        "mqueue",
        "nsfs",
    }
)
_GONE = "it was gone before it could be opened"
_ENDED = "its process ended before it could be opened"
_REPLACED = "another file took its place before it could be opened"
_REASONS = {errno.ENOENT: _GONE, errno.ELOOP: "a symlink took its place before it could be opened"}

_Key = tuple[int, int, int, int]


class Capture:
    """A captured file: a handle (``fd``), a path that is still to be resolved, or the reason why there is neither.

    ``ContentReader.read`` closes it; an unread capture must be closed by its owner.
    """

    __slots__ = ("_file", "_path", "_pid", "_root", "fd", "fs_type", "reason")

    def __init__(self, fd: int, *, file: FileFacts | None = None, fs_type: str = "", reason: str = "") -> None:
        """Take over the O_PATH descriptor ``fd``; -1 with the ``reason`` if the file could not be opened.

        ``file`` are the facts of the record; without them no change of the file can be found.
        """
        self.fd = fd
        self.fs_type = file.fs_type if file else fs_type
        self.reason = reason
        self._file = file
        self._root, self._path, self._pid = -1, b"", 0

    @classmethod
    def deferred(cls, root: int, path: bytes, *, pid: int, file: FileFacts) -> Capture:
        """Defer the resolution of ``path`` below the open directory ``root``, whose descriptor it takes over."""
        capture = cls(-1, file=file)
        capture._root, capture._path, capture._pid = root, path, pid
        return capture

    @property
    def never_blocks(self) -> bool:
        """Whether reading it cannot block: it is open, on a file system of the node's own disk or memory."""
        return self._root < 0 and self.fs_type in _LOCAL

    def is_unchanged(self, now: safe_open.FileStat) -> bool:
        """Return whether ctime and size are still those of the record."""
        return self._file is None or (now.ctime_ns, now.size) == (self._file.ctime_ns, self._file.size)

    def expect(self, file: FileFacts) -> None:
        """Compare the file with these facts of its record when it is read."""
        self._file = file
        self.fs_type = self.fs_type or file.fs_type

    def resolve(self) -> None:
        """Resolve a deferred path; does nothing for an open file. Raises ``Unreadable``. May block."""
        if self._root < 0 or self._file is None:
            return
        try:
            self.fd = safe_open.open_beneath(self._root, self._path, cached=False)
        except OSError as error:
            raise Unreadable(_in_words(error)) from error
        if not _is_the_file(self.fd, self._file, self._pid):
            raise Unreadable(_REPLACED)

    def close(self) -> None:
        """Close the descriptors; further calls do nothing."""
        for fd in (self.fd, self._root):
            if fd >= 0:
                os.close(fd)
        self.fd = self._root = -1

    def __del__(self) -> None:
        self.close()


class ChangedWhileRead(Unreadable):
    """The ctime or the size of a file changed while it was read: its bytes, its mode, its owner or its links."""

    def __init__(self, digest: Digest) -> None:
        """Take the digest of the bytes as they were read, which may be of two versions of the file."""
        super().__init__("it changed while it was read")
        self.digest = digest


class ContentReader:
    """Captures and hashes files of containers. Any thread may use it.

    Digests are cached by device, inode, ctime and size, so that each version of a file is hashed once.
    """

    def __init__(self, *, max_bytes: int = _MAX_BYTES, max_seconds: float = _MAX_SECONDS) -> None:
        """Set the limits: larger files, and reads that take longer, are ``Unreadable``."""
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds
        self._cache: OrderedDict[_Key, Digest] = OrderedDict()
        self._lock = threading.Lock()
        self._stalled = threading.BoundedSemaphore(_STALLED_MAX)

    def capture_program(self, pids: Sequence[int], file: FileFacts, *, upperdir: str = "") -> Capture:
        """Capture the program that the first of ``pids`` executed, without waiting for a file system of the container.

        The other processes are of the same container: their root still shows the file when the first has ended.
        ``upperdir``, the container's writable layer on the node, is the last resort.
        """
        with contextlib.suppress(OSError):
            fd = safe_open.open_magic_link(f"/proc/{pids[0]}/exe")
            if _is_the_file(fd, file, pids[0]):
                return Capture(fd, file=file)
            os.close(fd)
        return self.capture_path(pids, file, upperdir=upperdir)

    # A file that was replaced in one root may still be found through another; its upper file is the last resort, then
    # a deferred path. The reason of the last process that still runs is reported.
    def capture_path(self, pids: Sequence[int], file: FileFacts, *, upperdir: str = "") -> Capture:
        """Capture a file by its path in the container, through the roots of ``pids`` in turn.

        Never waits for a file system of the container.
        """
        reason, deferred = _ENDED, None
        for pid in pids:
            found = _capture_in_root(pid, file)
            if found and found.fd >= 0:
                return found
            reason = found.reason if found else reason
            deferred = deferred or (found if found and not found.reason else None)
        return _capture_upper(upperdir, file) or deferred or Capture(-1, file=file, reason=reason)

    def open_mapped(self, pids: Sequence[int], path: bytes, inode: int) -> Capture | None:
        """Capture a mapped file by its path in the process; ``None`` if the path has another inode now."""
        for pid in pids:
            with contextlib.suppress(OSError), _root_of(pid, path) as (root, below):
                fd = safe_open.open_beneath(root, below, cached=True)
                found = safe_open.statx(fd)
                if found.inode == inode and stat.S_ISREG(found.mode):
                    return Capture(fd, fs_type=_fs_type(pid, found.mount_id))
                os.close(fd)
        return None

    def open_mapping(self, pid: int, start: int, end: int, inode: int) -> Capture | None:
        """Capture a file without a path from the memory of a process; ``None`` if it is not mapped there any more."""
        with contextlib.suppress(OSError):
            fd = safe_open.open_magic_link(f"/proc/{pid}/map_files/{start:x}-{end:x}")
            found = safe_open.statx(fd)
            if found.inode == inode and stat.S_ISREG(found.mode):
                return Capture(fd, fs_type=_fs_type(pid, found.mount_id))
            os.close(fd)
        return None

    def read(self, capture: Capture) -> Digest:
        """Hash a captured file as a whole, and close it. May block within the limits; raises ``Unreadable``."""
        if capture.reason:
            raise Unreadable(capture.reason)
        known = self._known(capture, safe_open.statx(capture.fd)) if capture.fd >= 0 else None
        if known:
            capture.close()
            return known
        if capture.never_blocks:
            return self._read_and_close(capture, _Progress())
        return self._read_with_watchdog(capture)

    # A thread that waits for a dead file system cannot be stopped, only abandoned. It ends when the kernel gives up on
    # the file system, at the latest with the container.
    def _read_with_watchdog(self, capture: Capture) -> Digest:
        if not self._stalled.acquire(blocking=False):
            capture.close()
            raise Unreadable(f"{_STALLED_MAX} other reads wait for file systems that do not answer")
        progress = _Progress()
        thread = threading.Thread(target=self._read_in_thread, args=(capture, progress), daemon=True, name="reader")
        thread.start()
        while not progress.done.wait(_STALL_SECONDS):
            if not progress.is_moving():
                raise Unreadable(f"its file system ({capture.fs_type}) did not answer for {_STALL_SECONDS:.0f} s")
        return progress.result()

    def _read_in_thread(self, capture: Capture, progress: _Progress) -> None:
        try:
            progress.finish(lambda: self._read_and_close(capture, progress))
        finally:
            self._stalled.release()

    def _read_and_close(self, capture: Capture, progress: _Progress) -> Digest:
        try:
            capture.resolve()
            return self._read(capture, progress)
        except OSError as error:
            raise Unreadable(f"reading it failed: {error.strerror}") from error
        finally:
            capture.close()

    def _read(self, capture: Capture, progress: _Progress) -> Digest:
        if capture.fs_type in _PSEUDO:
            raise Unreadable(f"a file of {capture.fs_type} has no content of its own")
        found = safe_open.statx(capture.fd)
        digest = self._hash(capture.fd, found, progress)
        return digest if capture.is_unchanged(found) else Digest(digest.sha256, digest.size, changed=True)

    def hash(self, handle: int, found: safe_open.FileStat) -> Digest:
        """Hash a file on the node's own disk, in this thread.

        ``handle`` is an O_PATH descriptor, ``found`` its ``statx``. Raises ``Unreadable`` and ``OSError``.
        """
        with self._lock:
            known = self._cache.get(_key(found))
        return known or self._hash(handle, found, _Progress())

    def _known(self, capture: Capture, found: safe_open.FileStat) -> Digest | None:
        with self._lock:
            digest = self._cache.get(_key(found))
        if digest is None or capture.is_unchanged(found):
            return digest
        return Digest(digest.sha256, digest.size, changed=True)

    def _hash(self, handle: int, found: safe_open.FileStat, progress: _Progress) -> Digest:
        if found.size > self._max_bytes:
            raise Unreadable(f"it has {found.size:,} bytes; at most {self._max_bytes:,} are read")
        digest = _hash_handle(handle, found, progress.move, time.monotonic() + self._max_seconds)
        if _is_over(found.ctime_ns):
            self._remember(_key(found), digest)
        return digest

    def _remember(self, key: _Key, digest: Digest) -> None:
        with self._lock:
            self._cache[key] = digest
            self._cache.move_to_end(key)
            if len(self._cache) > _CACHED:
                self._cache.popitem(last=False)


def _key(found: safe_open.FileStat) -> _Key:
    return found.device, found.inode, found.ctime_ns, found.size


# A helper thread cannot be interrupted, so it reports each chunk: the waiting thread sees whether it still moves.
class _Progress:
    # Progress and result of a helper thread, for the thread that waits for it.

    def __init__(self) -> None:
        self.done = threading.Event()
        self._chunks = self._seen = 0
        self._digest: Digest | None = None
        self._error: Unreadable | None = None

    def move(self) -> None:
        self._chunks += 1

    def is_moving(self) -> bool:
        before, self._seen = self._seen, self._chunks
        return self._seen != before

    def finish(self, read: Callable[[], Digest]) -> None:
        try:
            self._digest = read()
        except Unreadable as error:
            self._error = error
        finally:
            self.done.set()

    def result(self) -> Digest:
        if self._digest is None:
            raise self._error or Unreadable("its reader failed")
        return self._digest


# At most the size before the read is read, so that a file that grows does not keep the reader.
def _hash_handle(handle: int, found: safe_open.FileStat, on_chunk: Callable[[], None], deadline: float) -> Digest:
    if not stat.S_ISREG(found.mode):
        raise Unreadable("it is no regular file")
    _wait_for_tick(found.ctime_ns)
    fd = safe_open.open_to_read(handle)
    try:
        sha256, size = _hash_fd(fd, found.size, on_chunk, deadline)
    finally:
        os.close(fd)
    after = safe_open.statx(handle)
    # A file that is cut and written again within one tick has one ctime, but fewer bytes than it had before.
    if (after.ctime_ns, after.size, size) != (found.ctime_ns, found.size, found.size):
        raise ChangedWhileRead(Digest(sha256, size))
    return Digest(sha256, size)


def _hash_fd(fd: int, size: int, on_chunk: Callable[[], None], deadline: float) -> tuple[str, int]:
    state, at = hashlib.sha256(), 0
    buffer = memoryview(bytearray(min(_CHUNK, max(size, 1))))
    while at < size and (count := os.preadv(fd, [buffer[: size - at]], at)):
        state.update(buffer[:count])  # releases the interpreter's lock (hashlib, more than 2,047 bytes)
        at += count
        on_chunk()
        if time.monotonic() > deadline:
            raise Unreadable(f"only {at:,} of its {size:,} bytes could be read in time")
    return state.hexdigest(), at


# Two ticks at most: a ctime in the future, from a clock that was set back, must not keep the reader.
def _wait_for_tick(ctime_ns: int) -> None:
    for _ in range(2):
        if not _is_over(ctime_ns):
            time.sleep(_TICK_SECONDS)


def _is_over(ctime_ns: int) -> bool:
    return ctime_ns < time.clock_gettime_ns(_CLOCK_REALTIME_COARSE)


# None if the process has ended.
def _capture_in_root(pid: int, file: FileFacts) -> Capture | None:
    with contextlib.suppress(OSError), _root_of(pid, file.path) as (root, path):
        try:
            fd = safe_open.open_beneath(root, path, cached=True)
        except BlockingIOError:
            return Capture.deferred(os.dup(root), path, pid=pid, file=file)
        except OSError as error:
            return Capture(-1, file=file, reason=_in_words(error))
        if _is_the_file(fd, file, pid):
            return Capture(fd, file=file)
        os.close(fd)
        return Capture(-1, file=file, reason=_REPLACED)
    return None


# Paths of records start at the root of the mount namespace, /proc/PID/root is the root of the process (chroot).
@contextlib.contextmanager
def _root_of(pid: int, path: bytes) -> Iterator[tuple[int, bytes]]:
    link = f"/proc/{pid}/root"
    jail = os.fsencode(Path(link).readlink())
    root = os.open(link, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield root, path[len(jail) :] if jail != b"/" and path.startswith(jail + b"/") else path
    finally:
        os.close(root)


def _is_the_file(fd: int, file: FileFacts, pid: int) -> bool:
    found = safe_open.statx(fd)
    if not stat.S_ISREG(found.mode) or found.inode != file.inode:
        return False
    return found.device == file.device or _superblock(pid, found.mount_id) == file.device


# The device that records have. statx gives another one on overlays over several file systems (a pseudo device for each
# layer, overlayfs.rst, "Inode properties") and on btrfs (one for each subvolume); mountinfo has the superblock's.
def _superblock(pid: int, mount_id: int) -> int:
    mount = mounts.find_mount(pid, mount_id)
    return mount.device if mount else 0


def _fs_type(pid: int, mount_id: int) -> str:
    mount = mounts.find_mount(pid, mount_id)
    return mount.fs_type if mount else ""


# A file has another device in the writable layer than in the overlay, and a copied-up file another inode. Size and
# ctime of the overlay's file are those of the upper file, so they identify it.
def _capture_upper(upperdir: str, file: FileFacts) -> Capture | None:
    if not upperdir or not file.upper:
        return None
    try:
        fd = _open_in_folder(upperdir, file.fs_path)
    except OSError:
        return None
    found = safe_open.statx(fd)
    is_same = stat.S_ISREG(found.mode) and (found.size, found.ctime_ns) == (file.size, file.ctime_ns)
    if is_same and not _is_metacopy(fd):
        return Capture(fd, file=file)
    os.close(fd)
    return None


def _open_in_folder(folder: str, path: bytes) -> int:
    root = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return safe_open.open_beneath(root, path, cached=False)
    finally:
        os.close(root)


# A metacopy file has only attributes; its bytes are in a lower layer (overlayfs.rst, "Metadata only copy up").
def _is_metacopy(fd: int) -> bool:
    try:
        os.getxattr(f"/proc/self/fd/{fd}", "trusted.overlay.metacopy")
    except OSError:
        return False
    return True


def _in_words(error: OSError) -> str:
    return _REASONS.get(error.errno or 0, f"it could not be opened: {error.strerror}")
