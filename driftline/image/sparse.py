"""Sparse files in tar archives: the old GNU format and the PAX formats 0.0, 0.1 and 1.0.

All four encode the same: a list of (offset, length) of the data that the archive stores, and the
length of the file with its holes. Source: GNU tar manual, "Storing Sparse Files".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from driftline import errors
from driftline.image import numbers

__all__ = ["SparseMap", "from_gnu", "from_pax", "hash_sparse"]

BLOCK = 512  # bytes of a tar record; maps are padded to it
MAX_MAP = 1 << 20  # bytes of one map, the limit of extended headers
ZEROS = memoryview(bytes(1 << 20))  # content of holes, hashed in pieces


class Stream(Protocol):
    """Source of a file's map and data; ``tar.ChunkStream`` implements it."""

    def take(self, count: int) -> bytes: ...

    def pieces(self, count: int) -> Iterator[memoryview]: ...


class SparseMap(msgspec.Struct, frozen=True):
    """Layout of a sparse file: its stored segments and its length.

    Raises ``CorruptImage`` when made from segments that overlap, are out of order, exceed the
    length of the file, or do not add up to ``stored``.
    """

    length: int
    """Bytes of the file, holes included."""
    stored: int
    """Bytes of data that follow in the archive, without padding."""
    data: Sequence[tuple[int, int]]
    """Segments (offset, length) in ascending order; the bytes between them are zeros."""

    def __post_init__(self) -> None:
        end = total = 0
        for offset, length in self.data:
            if offset < end or length < 0:
                raise errors.CorruptImage(f"a sparse file whose segments overlap at {offset}")
            end, total = offset + length, total + length
        if end > self.length or total != self.stored:
            raise errors.CorruptImage(
                f"a sparse file of {self.length} bytes maps {total} up to {end}, but {self.stored} are stored"
            )


def from_gnu(stream: Stream, block: bytes, *, stored: int) -> SparseMap:
    """Read the map of a member of type ``S``: 4 segments in its header, 21 in each block after it.

    ``block`` is the member's header, ``stored`` its size field. Raises ``CorruptImage``.
    """
    # GNU tar's tar.h, struct oldgnu_header and sparse_header: 24 bytes a segment (two octal fields
    # of 12), a byte that is set if another block of segments follows, the real size (header only).
    fields = [block[386:482]]
    more, read = block[482], 0
    while more:
        extension = stream.take(BLOCK)
        fields.append(extension[:504])
        more, read = extension[504], read + BLOCK
        _check_map_size(read)
    values = [numbers.octal(field) for part in fields for field in _cut(part, 12) if field.strip(b" \0")]
    return SparseMap(numbers.octal(block[483:495]), stored, _pairs(values))


def from_pax(stream: Stream, pax: Mapping[bytes, bytes], listed: Sequence[bytes], *, stored: int) -> SparseMap | None:
    """Read the map that PAX records give or announce; return ``None`` if the file is not sparse.

    ``listed`` are the values of the repeated records of format 0.0 in order. Format 0.1 has one
    record ``GNU.sparse.map``; format 1.0 stores the map in front of the data. Raises ``CorruptImage``.
    """
    length = pax.get(b"GNU.sparse.realsize") or pax.get(b"GNU.sparse.size")
    if length is None:
        return None
    if pax.get(b"GNU.sparse.major") == b"1":
        values, used = _leading_map(stream, stored)
        return SparseMap(numbers.decimal(length), stored - used, _pairs(values))
    texts = listed or pax.get(b"GNU.sparse.map", b"").split(b",")
    return SparseMap(numbers.decimal(length), stored, _pairs([numbers.decimal(text) for text in texts if text]))


def hash_sparse(stream: Stream, sparse: SparseMap) -> bytes:
    """Return the SHA-256 (32 bytes) of the file with its holes filled with zeros.

    Reads the stored bytes from ``stream``, without the padding after them.
    """
    engine, at = hashlib.sha256(), 0
    # An empty segment at the end makes the loop hash the last hole.
    for offset, length in [*sparse.data, (sparse.length, 0)]:
        for start in range(at, offset, len(ZEROS)):
            engine.update(ZEROS[: offset - start])
        for piece in stream.pieces(length):
            engine.update(piece)
        at = offset + length
    return engine.digest()


def _leading_map(stream: Stream, stored: int) -> tuple[list[int], int]:
    # Format 1.0: the content begins with the number of segments, then their offsets and lengths,
    # one decimal number per line, padded to a block.
    text, wanted = b"", 1
    while (lines := text.count(b"\n")) < wanted:
        if len(text) + BLOCK > stored:
            raise errors.CorruptImage("the map of a sparse file is longer than the file")
        text += stream.take(BLOCK)
        _check_map_size(len(text))
        if not lines and b"\n" in text:
            wanted = 1 + 2 * numbers.decimal(text.partition(b"\n")[0])
    return [numbers.decimal(line) for line in text.split(b"\n", wanted)[1:wanted]], len(text)


def _check_map_size(size: int) -> None:
    if size > MAX_MAP:
        raise errors.CorruptImage(f"the map of a sparse file takes more than {MAX_MAP} bytes")


def _pairs(values: Sequence[int]) -> list[tuple[int, int]]:
    if len(values) % 2:
        raise errors.CorruptImage("the map of a sparse file has an offset without a length")
    return list(zip(values[::2], values[1::2], strict=True))


def _cut(data: bytes, width: int) -> list[bytes]:
    return [data[at : at + width] for at in range(0, len(data), width)]
