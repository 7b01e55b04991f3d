"""File format of the image index, and its writer.

One immutable file for one image, in the byte order of the machine that wrote it, read in place
through mmap::

    header      magic, version, byte order, salt, the counts of the sections below
    digest      digest of the image, ASCII, padded to 4 bytes
    hashes      u32 for each entry, ascending: the first bytes of SHA-256(salt + path)
    order       u32 for each entry: row of the path whose hash has the same position
    rows        4 u32 for each entry in path order, and one more row to end the names:
                start of the name, directory, attributes, reference
    directories u32 each and one more: start of the directory's path
    attributes  20 bytes for each distinct (uid, gid, mode, layer, kind, capabilities); the last is
                the number of a record of the next section, from 1, or 0 for none
    capabilities 24 bytes for each distinct value of the xattr security.capability, padded with zeros
    contents    44 bytes for each distinct file content by SHA-256: digest, size, and its row,
                or, with the highest bit set, the start of its rows in duplicates
    duplicates  u32 for each row of a content that has several; the highest bit ends a list
    targets     u32 each and one more: start of the target's text
    texts       names, directory paths, targets (of symlinks; "major:minor" for devices)
    checksum    CRC-32 of everything before

Names are stored without their directory; contents and attributes once for all entries that share
them: 95 bytes a file of a Debian image (bench/image_index.py). The salt is derived from the
image's digest, so that a hostile image cannot contain colliding paths: its digest is known only
after its content is final.
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
VERSION = 2
NATIVE = 0x0102  # reads as 0x0201 on a machine of the other byte order
HIGH_BIT = 0x80000000  # row numbers stay below it: Limits.entries

HEADER = struct.Struct("=8sHH16s11I")
ROW = struct.Struct("=5I")  # the fifth is the start of the next row's name
ROW_SIZE = 16
ATTRIBUTES = struct.Struct("=IIHHB3xI")
CAPABILITIES = struct.Struct("=24s")
CONTENT = struct.Struct("=32sQI")
CHECKSUM = struct.Struct("=I")

# The position of a kind is part of the format: new kinds go to the end, or VERSION grows.
KINDS = tuple(Kind)
KIND_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}


def section_starts(counts: Sequence[int]) -> tuple[int, ...]:
    """Return the offset of each section after the header, in file order, and last the file's length.

    ``counts`` are the eleven numbers of the header: bytes of the digest; numbers of entries,
    directories, attributes, capabilities, contents, duplicates and targets; bytes of the three texts.
    """
    name, entries, directories, attributes, capabilities, contents, duplicates, targets, *texts = counts
    sizes = (
        name,
        4 * entries,
        4 * entries,
        ROW_SIZE * (entries + 1),
        4 * (directories + 1),
        ATTRIBUTES.size * attributes,
        CAPABILITIES.size * capabilities,
        CONTENT.size * contents,
        4 * duplicates,
        4 * (targets + 1),
        *texts,
        CHECKSUM.size,
    )
    return tuple(itertools.accumulate(sizes, initial=HEADER.size))


def salt_of(digest: str) -> bytes:
    """Return the 16 bytes that precede each path of the image ``digest`` when it is hashed."""
    return hashlib.sha256(digest.encode()).digest()[:16]


def hash_path(salt: bytes, path: bytes) -> int:
    """Return the 32-bit hash of a path: the first bytes of SHA-256, which no attacker can steer."""
    return int.from_bytes(hashlib.sha256(salt + path).digest()[:4], "big")


def encode(digest: str, nodes: Iterable[tuple[bytes, Node]]) -> bytes:
    """Return the bytes of the index of the image ``digest``.

    ``nodes`` are all paths with their nodes, in any order; ``digest`` is ASCII.
    """
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
    # Distinct strings, numbered in the order of first use and stored end to end with their offsets.

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
    # The sections that rows refer to; each distinct value is stored once.

    def __init__(self, entries: Sequence[tuple[bytes, Node]]) -> None:
        self._directories, self._targets = _Texts(), _Texts()
        self._attributes: dict[bytes, int] = {}
        self._capabilities: dict[bytes, int] = {b"": 0}
        self._contents = _contents(entries)
        self._numbers = {sha256: number for number, (sha256, _, _) in enumerate(self._contents)}
        self._names: list[bytes] = []
        self._rows = self._make_rows(entries)
        self._duplicates = array("I")
        self._packed_contents = b"".join(
            CONTENT.pack(sha256, size, self._row_reference(rows)) for sha256, size, rows in self._contents
        )

    def counts(self) -> tuple[int, ...]:
        texts = (len(self._names_text), len(self._directories.text()), len(self._targets.text()))
        contents = (len(self._contents), len(self._duplicates))
        attributes = (len(self._attributes), len(self._capabilities) - 1)
        return (len(self._directories), *attributes, *contents, len(self._targets), *texts)

    def sections(self) -> tuple[bytes, ...]:
        return (
            self._rows.tobytes(),
            self._directories.starts(),
            b"".join(self._attributes),
            b"".join(CAPABILITIES.pack(value) for value in self._capabilities if value),
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

    def _row_reference(self, rows: list[int]) -> int:
        if len(rows) == 1:
            return rows[0]
        start = len(self._duplicates) | HIGH_BIT
        self._duplicates.extend((*rows[:-1], rows[-1] | HIGH_BIT))
        return start

    def _attribute(self, node: Node) -> int:
        capabilities = self._capabilities.setdefault(node.capabilities, len(self._capabilities))
        packed = ATTRIBUTES.pack(node.uid, node.gid, node.mode, node.layer, KIND_NUMBERS[node.kind], capabilities)
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
    """Write ``data`` to ``path`` atomically: a reader, or a restart after a crash, sees all or nothing.

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
            # rename(2) is atomic, but a crash may order it before the data: flush the data first.
            os.fsync(file.fileno())
            Path(file.name).rename(path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(file.name).unlink()
            raise
    # The new name is durable only when its directory is flushed (fsync(2), Description).
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
