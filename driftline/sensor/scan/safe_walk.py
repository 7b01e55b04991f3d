"""Walk through a file tree that a container can change meanwhile.

One descriptor is open for each directory on the way down, and each name is opened below its directory as an O_PATH
handle: no name is looked up twice, no symlink followed, no mount point crossed. A path that the walk leaves out is
yielded as a ``Gap``.

A container could otherwise lead a walk astray: by swapping a directory with a symlink to the node's files, by mounting
a file system that never answers, by nesting directories without end, or by creating files faster than they are read.
Hence the handles, the refusal of mount points, and the limits of depth and number.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from driftline.sensor import safe_open

__all__ = ["Gap", "Item", "walk"]

_MAX_ENTRIES = 1_000_000
_MAX_DEPTH = 256  # as in an image; each level holds two descriptors
_READ = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Item(NamedTuple):
    """One entry of the tree."""

    path: bytes
    """Absolute path, where ``/`` is the top of the walk."""
    handle: int
    """O_PATH descriptor, open until the next item is requested."""
    stat: safe_open.FileStat
    """Its attributes."""


class Gap(NamedTuple):
    """A path that the walk left out, with everything below it."""

    path: bytes
    """Absolute path, where ``/`` is the top of the walk."""
    reason: str
    """Why it was left out, as a sentence."""
    is_mount: bool = False
    """Whether it is a mount point."""


def walk(top: int, *, max_entries: int = _MAX_ENTRIES) -> Iterator[Item | Gap]:
    """Yield the entries below the open directory ``top``, each directory before its content.

    Stops with a ``Gap`` after ``max_entries`` entries. Raises ``OSError`` if ``top`` cannot be read.
    """
    return _Walk(max_entries).below(top)


# Depth first, with an explicit stack: the depth is the container's choice.
class _Walk:
    def __init__(self, max_entries: int) -> None:
        self._left = self._max_entries = max_entries

    def below(self, top: int) -> Iterator[Item | Gap]:
        folders = [(b"", _Names(top))]
        try:
            while folders:
                path, names = folders[-1]
                entry = next(names, None)
                if entry is None:
                    folders.pop()
                    continue
                folder, name = entry
                yield from self._visit(folder, path + b"/" + name, name, folders)
                if self._left <= 0:
                    yield Gap(b"/", f"there are more than {self._max_entries:,} files")
                    return
        finally:
            for _, names in folders:
                names.close()

    def _visit(self, folder: int, path: bytes, name: bytes, folders: list[_Level]) -> Iterator[Item | Gap]:
        self._left -= 1
        try:
            handle = safe_open.open_entry(folder, name)
        except FileNotFoundError:  # deleted since the directory was read
            return
        except OSError as error:
            yield Gap(path, os.strerror(error.errno or 0), is_mount=error.errno == errno.EXDEV)
            return
        try:
            found = safe_open.statx(handle)
            yield Item(path, handle, found)
            if stat.S_ISDIR(found.mode):
                yield from _enter(handle, path, folders)
        finally:
            os.close(handle)


def _enter(handle: int, path: bytes, folders: list[_Level]) -> Iterator[Gap]:
    if len(folders) >= _MAX_DEPTH:
        yield Gap(path, f"folders are nested more than {_MAX_DEPTH} deep")
        return
    try:
        folders.append((path, _Names(handle)))
    except OSError as error:
        yield Gap(path, os.strerror(error.errno or 0))


class _Names(Iterator[tuple[int, bytes]]):
    # The names in a directory, each with the descriptor of the directory.

    def __init__(self, handle: int) -> None:
        self._fd = os.open(f"/proc/self/fd/{handle}", _READ)
        self._entries = os.scandir(self._fd)

    def __next__(self) -> tuple[int, bytes]:
        for entry in self._entries:
            return self._fd, os.fsencode(entry.name)
        self.close()
        raise StopIteration

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self._entries.close()
            os.close(fd)


_Level = tuple[bytes, _Names]
