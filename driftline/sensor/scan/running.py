"""Files that a container runs now: programs, files mapped as code, and scripts of interpreters.

A process counts by its cgroup or, since it can leave its cgroup, by its root on the container's own overlay. Its code
is what it has mapped as executable (proc_pid_maps(5)) and ``/proc/PID/exe``; both are looked up through their magic
links, so a file counts by inode, under whatever name it is known now. An interpreter's script counts by the path on its
command line.

A file that was written in place keeps its inode, while a process may still have the pages from before: a copy-up gives
the path other pages than the mapped ones. So the mapped bytes are compared with those of the present file.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from driftline import cluster
from driftline.events import Container
from driftline.sensor import safe_open
from driftline.sensor.tracking.processes import read_process, running_pids
from driftline.verdict import script_argument

__all__ = ["RunningFiles", "Unlinked"]

_MAX_MAPPINGS = 100_000
"""Executable mappings looked at in one container; a process can have 65,530 (vm.max_map_count)."""
_MAX_COMPARED = 8 << 20
"""Bytes of one mapping that are compared with its file."""
_CHUNK = 1 << 20

_DELETED = b" (deleted)"  # d_path() of fs/d_path.c appends it to the path of an unlinked file

_FileId = tuple[int, int]


class _Use(NamedTuple):
    # A process that runs a file, and the place of the file's bytes in its memory; ``end`` is 0 if they are not mapped.

    pid: int
    start: int = 0
    end: int = 0
    offset: int = 0


class Unlinked(NamedTuple):
    """A file that runs, and was removed from the path that it ran at; memfd_create(2) makes one, too."""

    path: bytes
    """Last path in the container."""
    link: str
    """Magic link in /proc that leads to the file while the process runs it."""
    pids: tuple[int, ...] = ()
    """Processes that run it, in ascending order."""
    nlink: int = 0
    """Names that it still has: hard links, and the name of an image's file in its layer (overlayfs counts that)."""
    is_program: bool = False
    """Whether it is the program of a process, not a mapped library alone."""


class RunningFiles:
    """The files that run in one container, as they were when the object was made; close it after use."""

    def __init__(self, container: Container) -> None:
        """Read the container's processes from /proc; a container that does not run has none."""
        self._uses: dict[_FileId, list[_Use]] = {}
        self._unlinked: dict[_FileId, Unlinked] = {}
        self._left = _MAX_MAPPINGS
        self._root = _open_root(container.pid)
        for pid in _pids(container, self._root) if self._root >= 0 else ():
            self._add_process(pid)

    def pids_of(self, path: bytes) -> tuple[int, ...]:
        """Return the processes that run the file which is at an absolute path of the container now.

        Ascending; none for a path below a mount, which hides the container's own file.
        """
        if not self._uses:
            return ()
        with contextlib.suppress(OSError), self._opened(path) as (handle, found):
            uses = self._uses.get((found.device, found.inode), ())
            return tuple(sorted({use.pid for use in uses if _has_present_bytes(use, handle)}))
        return ()

    def unlinked(self) -> tuple[Unlinked, ...]:
        """Return the files that run and are no longer at their path, in no order."""
        return tuple(self._unlinked.values())

    def __enter__(self) -> RunningFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptor of the container's root; further calls do nothing."""
        root, self._root = self._root, -1
        if root >= 0:
            os.close(root)

    @contextlib.contextmanager
    def _opened(self, path: bytes) -> Iterator[tuple[int, safe_open.FileStat]]:
        handle = safe_open.open_on_mount(self._root, path)
        try:
            yield handle, safe_open.statx(handle)
        finally:
            os.close(handle)

    def _add_process(self, pid: int) -> None:
        self._add(f"/proc/{pid}/exe", _Use(pid))
        seen: set[bytes] = set()
        for file, use in _executable_mappings(pid):
            if self._left <= 0:
                return
            self._left -= 1
            # The segments of one file differ in address and offset only; one of them is enough.
            if file not in seen:
                seen.add(file)
                self._add(f"/proc/{pid}/map_files/{use.start:x}-{use.end:x}", use)
        self._add_script(pid)

    def _add(self, link: str, use: _Use) -> None:
        with contextlib.suppress(OSError):
            handle = safe_open.open_magic_link(link)
            try:
                found = safe_open.statx(handle)
            finally:
                os.close(handle)
            self._uses.setdefault((found.device, found.inode), []).append(use)
            path = _path_in_container(link, use.pid)
            if path.endswith(_DELETED) and not (found.nlink and self._is_at(path, found)):
                self._add_unlinked(found, link, use, path=path.removesuffix(_DELETED))

    # A file may be named "x (deleted)"; then its name leads to it.
    def _is_at(self, path: bytes, file: safe_open.FileStat) -> bool:
        with contextlib.suppress(OSError), self._opened(path) as (_, found):
            return (found.device, found.inode) == (file.device, file.inode)
        return False

    def _add_unlinked(self, found: safe_open.FileStat, link: str, use: _Use, *, path: bytes) -> None:
        file = (found.device, found.inode)
        known = self._unlinked.get(file) or Unlinked(path, link, nlink=found.nlink)
        pids = tuple(sorted({*known.pids, use.pid}))
        self._unlinked[file] = known._replace(pids=pids, is_program=known.is_program or not use.end)

    def _add_script(self, pid: int) -> None:
        process = read_process(pid)
        argument = script_argument(process.argv, process.program) if process else None
        if not argument:
            return
        path = os.path.join(_path_in_container(f"/proc/{pid}/cwd", pid), argument)
        with contextlib.suppress(OSError), self._opened(os.path.normpath(path)) as (_, found):
            self._uses.setdefault((found.device, found.inode), []).append(_Use(pid))


def _open_root(pid: int) -> int:
    try:
        return safe_open.open_magic_link(f"/proc/{pid}/root") if pid else -1
    except OSError:
        return -1


def _pids(container: Container, root: int) -> Iterator[int]:
    # Each overlay has a device number of its own; that of another file system says nothing.
    device = safe_open.statx(root).device if container.upperdir else -1
    for pid in running_pids():
        if pid == container.pid or _is_in_cgroup(pid, container.id) or _root_device(pid) == device:
            yield pid


def _is_in_cgroup(pid: int, container_id: str) -> bool:
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_bytes().splitlines()
    except OSError:
        return False
    found = (cluster.parse_cgroup(os.fsdecode(line.split(b":", 2)[2])) for line in lines)
    return any(one is not None and one.id == container_id for one in found)


def _root_device(pid: int) -> int:
    try:
        handle = safe_open.open_magic_link(f"/proc/{pid}/root")
    except OSError:
        return 0
    try:
        return safe_open.statx(handle).device
    finally:
        os.close(handle)


# Lines of proc_pid_maps(5): "start-end rwxp offset major:minor inode path". Yields the last three, which identify the
# file, with the mapping.
def _executable_mappings(pid: int) -> Iterator[tuple[bytes, _Use]]:
    try:
        lines = Path(f"/proc/{pid}/maps").read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        addresses, permissions, offset, file = line.split(None, 3)
        if permissions[2:3] == b"x" and file.split(None, 2)[1] != b"0":
            start, end = (int(address, 16) for address in addresses.split(b"-"))
            yield file, _Use(pid, start, end, int(offset, 16))


# The kernel gives paths as seen from the root of their mount namespace; a process in a chroot has its root below.
def _path_in_container(link: str, pid: int) -> bytes:
    try:
        path, root = os.readlink(os.fsencode(link)), os.readlink(b"/proc/%d/root" % pid)
    except OSError:
        return b""
    return path[len(root) :] if root != b"/" and path.startswith(root + b"/") else path


# Pages of a program cannot be replaced while it runs (ETXTBSY); those of a library can. If the memory cannot be read,
# the inode decides.
def _has_present_bytes(use: _Use, handle: int) -> bool:
    if not use.end:
        return True
    try:
        memory = os.open(f"/proc/{use.pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        return _is_same(memory, handle, use)
    except OSError:
        return True
    finally:
        os.close(memory)


def _is_same(memory: int, handle: int, use: _Use) -> bool:
    file = safe_open.open_to_read(handle)
    try:
        length = min(use.end - use.start, _MAX_COMPARED)
        for at in range(0, length, _CHUNK):
            present = os.pread(file, min(_CHUNK, length - at), use.offset + at)
            if os.pread(memory, len(present), use.start + at) != present:
                return False
        return True
    finally:
        os.close(file)
