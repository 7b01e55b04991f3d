"""Reader of image indexes, in place through mmap (the file format is in ``format``).

A binary search over path hashes finds a path, one over content digests finds a content; each
touches a few pages. The checksum is verified once, when the file is opened; every offset is
bounds-checked when used, so a file damaged afterwards raises ``CorruptImage``.
"""

from __future__ import annotations

import mmap
import os
import struct
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from isal import isal_zlib

from driftline import errors
from driftline.image import format as layout
from driftline.image.capabilities import valid_capabilities
from driftline.image.entry import Entry, Kind

__all__ = ["ImageIndex", "is_index", "open_index"]

MAX_SYMLINKS = 40  # MAXSYMLINKS in include/linux/namei.h

U32 = struct.Struct("=I")
SPAN = struct.Struct("=2I")
NOT_NORMAL = (b"", b".", b"..")  # path components that name no entry


def open_index(path: str | os.PathLike[str]) -> ImageIndex:
    """Open an index file; the caller closes it, or uses it as a context manager.

    Raises ``CorruptImage`` if the file is truncated, damaged or not an index of this version and
    byte order, ``ImageNotFound`` if it does not exist, ``ImageError`` if it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                raise errors.CorruptImage(f"{os.fspath(path)} is empty, not an image index")
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError as error:
        raise errors.ImageNotFound(f"no image index at {os.fspath(path)}") from error
    except (OSError, ValueError) as error:
        raise errors.ImageError(f"cannot read the image index {os.fspath(path)}: {error}") from error
    try:
        return ImageIndex(mapped)
    except errors.CorruptImage as error:
        mapped.close()
        raise errors.CorruptImage(f"{os.fspath(path)}: {error}") from error


def is_index(path: str | os.PathLike[str]) -> bool:
    """Report whether a file is an image index, by its first bytes; False if it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return file.read(len(layout.MAGIC)) == layout.MAGIC
    except OSError:
        return False


class ImageIndex:
    """Content of one image, read from a mapped index file; safe to share between threads.

    Iterating yields all entries in path order; ``len`` is their number. Methods raise
    ``CorruptImage`` if the file refers to bytes that it does not have.
    """

    digest: str
    """Digest of the image, ``sha256:…``."""

    def __init__(self, mapped: mmap.mmap) -> None:
        """Take over ``mapped``, the bytes of an index file. Raises ``CorruptImage``."""
        self._salt, counts = _check(mapped)
        self._map = mapped
        self._count, self._content_count = counts[1], counts[5]
        name, hashes, order, *starts = layout.section_starts(counts)
        self._rows_at, self._directories_at, self._attributes_at, self._capabilities_at, *rest = starts
        self._contents_at, self._duplicates_at, self._targets_at, self._names_at, *texts = rest
        self._directory_texts_at, self._target_texts_at, *_ = texts
        view = memoryview(mapped)
        self._hashes = view[hashes:order].cast("I")
        self._order = view[order : self._rows_at].cast("I")
        self.digest = mapped[name:hashes].rstrip(b"\0").decode("ascii", "replace")

    def at(self, path: bytes) -> Entry | None:
        """Return the entry at an absolute path, or ``None``; symlinks are not followed.

        ``path`` must be normalized: no ``.``, ``..``, double or trailing slash.
        """
        row = self._find(path)
        return None if row is None else self._entry(row, path)

    def resolve(self, path: bytes) -> Entry | None:
        """Return the entry that an absolute path leads to, following symlinks inside the image.

        ``path`` need not be normalized. Returns ``None`` if nothing is there, and after 40 symlinks,
        where Linux fails with ELOOP (path_resolution(7)). An absolute symlink starts at the image's root.
        """
        entry = self.at(path)
        if entry is not None and entry.kind is not Kind.SYMLINK:
            return entry
        return self._walk(path)

    def paths_of(self, sha256: str) -> tuple[bytes, ...]:
        """Return all paths of regular files with this content, in path order.

        ``sha256`` is hexadecimal; a malformed digest has no paths.
        """
        try:
            wanted = bytes.fromhex(sha256)
        except ValueError:
            return ()
        number = bisect_left(range(self._content_count), wanted, key=self._content_digest)
        if number == self._content_count or self._content_digest(number) != wanted:
            return ()
        return tuple(self._path(row) for row in self._rows_of(number))

    def __iter__(self) -> Iterator[Entry]:
        """Yield all entries in the byte order of their paths."""
        return map(self._entry, range(self._count))

    def __len__(self) -> int:
        return self._count

    def __enter__(self) -> ImageIndex:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Unmap the file; the index must not be used afterwards."""
        self._hashes.release()
        self._order.release()
        self._map.close()

    def _find(self, path: bytes) -> int | None:
        # Hashes have 32 bits: several paths may share one, so the path itself decides.
        value = layout.hash_path(self._salt, path)
        position = bisect_left(self._hashes, value)
        while position < self._count and self._hashes[position] == value:
            row = self._order[position]
            if self._path(row) == path:
                return row
            position += 1
        return None

    def _row(self, row: int) -> tuple[int, ...]:
        try:
            return layout.ROW.unpack_from(self._map, self._rows_at + layout.ROW_SIZE * row)
        except struct.error as error:
            raise errors.CorruptImage(f"the image index refers to row {row}, which it does not have") from error

    def _path(self, row: int) -> bytes:
        name, directory, _, _, end = self._row(row)
        at = self._names_at
        return (
            self._text(self._directories_at, self._directory_texts_at, directory)
            + b"/"
            + self._map[at + name : at + end]
        )

    def _text(self, starts: int, texts: int, number: int) -> bytes:
        begin, end = _unpack(SPAN, self._map, starts + 4 * number)
        return self._map[texts + begin : texts + end]

    def _entry(self, row: int, path: bytes = b"") -> Entry:
        _, _, attributes, reference, _ = self._row(row)
        uid, gid, mode, layer, number, capabilities = _unpack(
            layout.ATTRIBUTES, self._map, self._attributes_at + layout.ATTRIBUTES.size * attributes
        )
        kind = layout.KINDS[number] if number < len(layout.KINDS) else _bad_kind(number)
        size, sha256, target, device = 0, "", b"", 0
        if kind is Kind.FILE:
            digest, size, _ = self._content(reference)
            sha256 = digest.hex()
        elif kind is Kind.SYMLINK:
            target = self._text(self._targets_at, self._target_texts_at, reference)
        elif kind in DEVICES:
            device = _device(self._text(self._targets_at, self._target_texts_at, reference))
        held = self._capabilities(capabilities) if capabilities else b""
        return Entry(path or self._path(row), kind, size, mode, uid, gid, sha256, target, layer, device, held)

    # Padded records: the version in the value tells its size.
    def _capabilities(self, number: int) -> bytes:
        at = self._capabilities_at + layout.CAPABILITIES.size * (number - 1)
        (value,) = _unpack(layout.CAPABILITIES, self._map, at)
        return valid_capabilities(value) or valid_capabilities(value[:20])

    def _content(self, number: int) -> tuple[bytes, int, int]:
        content: tuple[bytes, int, int] = _unpack(
            layout.CONTENT, self._map, self._contents_at + layout.CONTENT.size * number
        )
        return content

    def _content_digest(self, number: int) -> bytes:
        at = self._contents_at + layout.CONTENT.size * number
        return self._map[at : at + 32]

    def _rows_of(self, number: int) -> Iterator[int]:
        _, _, reference = self._content(number)
        if reference < layout.HIGH_BIT:
            yield reference
            return
        for at in range(self._duplicates_at + 4 * (reference - layout.HIGH_BIT), self._targets_at, 4):
            (row,) = _unpack(U32, self._map, at)
            yield row % layout.HIGH_BIT
            if row >= layout.HIGH_BIT:
                return

    def _walk(self, path: bytes) -> Entry | None:
        # Component by component, as path_resolution(7) describes; ``reached`` never contains a
        # symlink, so ".." can remove its last component lexically.
        reached, pending, links = b"", path.split(b"/")[::-1], 0
        while pending:
            name = pending.pop()
            if name in NOT_NORMAL:
                reached = reached.rpartition(b"/")[0] if name == b".." else reached
                continue
            entry = self.at(reached + b"/" + name)
            if entry is None or (pending and entry.kind not in PASSABLE):
                return None
            if entry.kind is not Kind.SYMLINK:
                reached = entry.path
                continue
            links += 1
            if links > MAX_SYMLINKS:
                return None
            reached = b"" if entry.target.startswith(b"/") else reached
            pending.extend(entry.target.split(b"/")[::-1])
        return self.at(reached or b"/")


DEVICES = (Kind.CHARACTER_DEVICE, Kind.BLOCK_DEVICE)
PASSABLE = (Kind.DIRECTORY, Kind.SYMLINK)  # kinds that may have further components behind them


# The header's counts give the length the file must have, which finds truncation without reading it all.
def _check(mapped: mmap.mmap) -> tuple[bytes, list[int]]:
    try:
        magic, version, order, salt, *counts = layout.HEADER.unpack_from(mapped)
    except struct.error as error:
        raise errors.CorruptImage(f"{len(mapped)} bytes are too short for an image index") from error
    if magic != layout.MAGIC:
        raise errors.CorruptImage(f"not an image index: begins with {magic!r}, expected {layout.MAGIC!r}")
    if (version, order) != (layout.VERSION, layout.NATIVE):
        raise errors.CorruptImage(
            f"an image index of version {version} or another byte order; expected version {layout.VERSION}"
        )
    expected = layout.section_starts(counts)[-1]
    if expected != len(mapped):
        raise errors.CorruptImage(f"an image index of {len(mapped)} bytes that should have {expected}: truncated?")
    _check_sum(mapped)
    return salt, counts


def _check_sum(mapped: mmap.mmap) -> None:
    end = len(mapped) - layout.CHECKSUM.size
    (claimed,) = layout.CHECKSUM.unpack_from(mapped, end)
    with memoryview(mapped) as view, view[:end] as body:
        found = isal_zlib.crc32(body)
    if claimed != found:
        raise errors.CorruptImage(f"the image index is damaged: checksum {found:08x}, expected {claimed:08x}")


def _unpack(form: struct.Struct, mapped: mmap.mmap, at: int) -> tuple[Any, ...]:
    try:
        return form.unpack_from(mapped, at)
    except struct.error as error:
        raise errors.CorruptImage(f"the image index refers to byte {at}, which it does not have") from error


def _bad_kind(number: int) -> Kind:
    raise errors.CorruptImage(f"the image index has a file of unknown kind {number}")


def _device(text: bytes) -> int:
    major, _, minor = text.partition(b":")
    return os.makedev(int(major or 0), int(minor or 0))
