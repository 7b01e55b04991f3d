"""The index file: what is where, and how it is written.

One immutable file for one image, in the byte order of the machine that wrote it, read in place
through mmap::

    header      magic, version, byte order, salt, the counts of what follows
    digest      the image's digest, ASCII, padded to 4
    hashes      u32 for each entry, ascending: the first bytes of SHA-256(salt + path)
    order       u32 for each entry: the row whose path has the hash at the same place
    rows        4 u32 for each entry in the order of paths, and one more to end the names:
                start of its name, directory, attributes, reference
    directories u32 each and one more: where its path begins
    attributes  16 bytes for each distinct (uid, gid, mode, layer, kind)
    contents    44 bytes for each distinct file content by SHA-256: digest, size, and its row,
                or, with the highest bit set, where in duplicates its rows begin
    duplicates  u32 for each row of a content that has several; the highest bit ends a list
    targets     u32 each and one more: where its text begins
    texts       names, directory paths, targets (of symlinks; "major:minor" for devices)
    checksum    CRC-32 of everything before

Names are stored without their directory, contents and attributes once for all that share them:
95 bytes a file of a Debian image (bench/image_index.py). The salt comes from the
image's digest, so that nobody can make paths collide in an image whose digest they do not know
before it is made.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import struct
import tempfile
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path

from isal import isal_zlib

from driftline import errors
from driftline.image.entry import Kind
from driftline.image.tree import Node

__all__ = ["encode", "write"]

MAGIC = b"DRFTIMG\n"
VERSION = 1
NATIVE = 0x0102
MARK = 0x80000000  # rows stay below: Limits.entries

HEADER = struct.Struct("=8sHH16s10I")
ROW = struct.Struct("=5I")  # the fifth is the start of the next row's name
ROW_SIZE = 16
ATTRIBUTES = struct.Struct("=IIHHB3x")
CONTENT = struct.Struct("=32sQI")
CHECKSUM = struct.Struct("=I")

KINDS = tuple(Kind)
KIND_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}


def section_starts(counts: Sequence[int]) -> tuple[int, ...]:
    """Give where each part after the header begins, in order, and last the file's length."""
    name, entries, directories, attributes, contents, duplicates, targets, *texts = counts
    sizes = (
        name,
        4 * entries,
        4 * entries,
        ROW_SIZE * (entries + 1),
        4 * (directories + 1),
        ATTRIBUTES.size * attributes,
        CONTENT.size * contents,
        4 * duplicates,
        4 * (targets + 1),
        *texts,
        CHECKSUM.size,
    )
    return tuple(itertools.accumulate(sizes, initial=HEADER.size))


def salt_of(digest: str) -> bytes:
    """Give the 16 bytes that go before each path of this image when it is hashed."""
    return hashlib.sha256(digest.encode()).digest()[:16]


def hash_path(salt: bytes, path: bytes) -> int:
    """Hash a path to 32 bits."""
    return int.from_bytes(hashlib.sha256(salt + path).digest()[:4], "big")


def encode(digest: str, nodes: Iterable[tuple[bytes, Node]]) -> bytes:
    """Lay out the index of the image ``digest``, whose paths ``nodes`` gives in any order."""
    entries = sorted(nodes, key=lambda item: item[0])
    salt = salt_of(digest)
    hashed = sorted((hash_path(salt, path), row) for row, (path, _) in enumerate(entries))
    tables = _Tables(entries)
    name = digest.encode().ljust(-(-len(digest) // 4) * 4, b"\0")
    counts = (len(name), len(entries), *tables.counts())
    body = b"".join(
        (
            HEADER.pack(MAGIC, VERSION, NATIVE, salt, *counts),
            name,
            array("I", (value for value, _ in hashed)).tobytes(),
            array("I", (row for _, row in hashed)).tobytes(),
            *tables.sections(),
        )
    )
    return body + CHECKSUM.pack(isal_zlib.crc32(body))


class _Texts:
    # Strings kept once, one after the other, with the places where they begin.

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}

    def number(self, text: bytes) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def __len__(self) -> int:
        return len(self._numbers)

    def text(self) -> bytes:
        return b"".join(self._numbers)

    def starts(self) -> bytes:
        return array("I", itertools.accumulate(map(len, self._numbers), initial=0)).tobytes()


class _Tables:
    # What rows refer to, each distinct value once.

    def __init__(self, entries: Sequence[tuple[bytes, Node]]) -> None:
        self._directories, self._targets = _Texts(), _Texts()
        self._attributes: dict[bytes, int] = {}
        self._contents = _contents(entries)
        self._numbers = {sha256: number for number, (sha256, _, _) in enumerate(self._contents)}
        self._names: list[bytes] = []
        self._rows = self._make_rows(entries)
        self._duplicates = array("I")
        self._packed_contents = b"".join(
            CONTENT.pack(sha256, size, self._place(rows)) for sha256, size, rows in self._contents
        )

    def counts(self) -> tuple[int, ...]:
        texts = (len(self._names_text), len(self._directories.text()), len(self._targets.text()))
        contents = (len(self._contents), len(self._duplicates))
        return (len(self._directories), len(self._attributes), *contents, len(self._targets), *texts)

    def sections(self) -> tuple[bytes, ...]:
        return (
            self._rows.tobytes(),
            self._directories.starts(),
            b"".join(self._attributes),
            self._packed_contents,
            self._duplicates.tobytes(),
            self._targets.starts(),
            self._names_text,
            self._directories.text(),
            self._targets.text(),
        )

    def _make_rows(self, entries: Sequence[tuple[bytes, Node]]) -> array[int]:
        rows, start = array("I"), 0
        for path, node in entries:
            directory, _, name = path.rpartition(b"/")
            rows.extend((start, self._directories.number(directory), self._attribute(node), self._reference(node)))
            self._names.append(name)
            start += len(name)
        rows.extend((start, 0, 0, 0))
        self._names_text = b"".join(self._names)
        return rows

    def _place(self, rows: list[int]) -> int:
        if len(rows) == 1:
            return rows[0]
        place = len(self._duplicates) | MARK
        self._duplicates.extend((*rows[:-1], rows[-1] | MARK))
        return place

    def _attribute(self, node: Node) -> int:
        packed = ATTRIBUTES.pack(node.uid, node.gid, node.mode, node.layer, KIND_NUMBERS[node.kind])
        return self._attributes.setdefault(packed, len(self._attributes))

    def _reference(self, node: Node) -> int:
        if node.kind is Kind.FILE:
            return self._numbers[node.ref]
        if node.device:
            return self._targets.number(b"%d:%d" % (os.major(node.device), os.minor(node.device)))
        return self._targets.number(node.ref) if node.ref else 0


def _contents(entries: Sequence[tuple[bytes, Node]]) -> list[tuple[bytes, int, list[int]]]:
    found: dict[bytes, tuple[bytes, int, list[int]]] = {}
    for row, (_, node) in enumerate(entries):
        if node.kind is Kind.FILE:
            found.setdefault(node.ref, (node.ref, node.size, []))[2].append(row)
    return sorted(found.values())


def write(data: bytes, path: Path) -> None:
    """Write ``data`` to ``path`` so that a reader or a crash meets all of it or none.

    Raises ``ImageError`` when the disk is full or the directory cannot be written.
    """
    try:
        _write(data, path)
    except OSError as error:
        raise errors.ImageError(f"cannot write the image index {path}: {error.strerror}") from error


def _write(data: bytes, path: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).rename(path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(file.name).unlink()
            raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
