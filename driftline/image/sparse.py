"""Sparse files in tar archives: the old GNU form and the PAX forms 0.0, 0.1 and 1.0.

All four say the same: a list of (offset, length) of the data that the archive stores, and the
file's length with its holes. See "Storing Sparse Files" in GNU tar's manual.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from driftline import errors
from driftline.image import numbers

__all__ = ["Sparse", "from_gnu", "from_pax", "hash_sparse"]

BLOCK = 512
MAX_MAP = 1 << 20  # bytes of one map, as for extended headers
ZEROS = memoryview(bytes(1 << 20))


class Stream(Protocol):
    """Where the map of a file and its data come from."""

    def take(self, count: int) -> bytes: ...

    def pieces(self, count: int) -> Iterator[memoryview]: ...


class Sparse(msgspec.Struct, frozen=True):
    """Where the stored bytes of a file belong."""

    length: int
    stored: int
    """Bytes of data that follow in the archive, without padding."""
    data: Sequence[tuple[int, int]]

    def __post_init__(self) -> None:
        end = total = 0
        for offset, length in self.data:
            if offset < end or length < 0:
                raise errors.CorruptImage(f"a sparse file whose parts overlap at {offset}")
            end, total = offset + length, total + length
        if end > self.length or total != self.stored:
            raise errors.CorruptImage(
                f"a sparse file of {self.length} bytes maps {total} up to {end}, but {self.stored} are stored"
            )


def from_gnu(stream: Stream, block: bytes, *, stored: int) -> Sparse:
    """Read the map of a member of type ``S``: 4 parts in its header, 21 in each block after it."""
    fields = [block[386:482]]
    more, read = block[482], 0
    while more:
        extension = stream.take(BLOCK)
        fields.append(extension[:504])
        more, read = extension[504], read + BLOCK
        _check_map_size(read)
    values = [numbers.octal(field) for part in fields for field in _cut(part, 12) if field.strip(b" \0")]
    return Sparse(numbers.octal(block[483:495]), stored, _pairs(values))


def from_pax(stream: Stream, pax: Mapping[bytes, bytes], listed: Sequence[bytes], *, stored: int) -> Sparse | None:
    """Read the map that a PAX header gives or announces; None for a file that is not sparse."""
    length = pax.get(b"GNU.sparse.realsize") or pax.get(b"GNU.sparse.size")
    if length is None:
        return None
    if pax.get(b"GNU.sparse.major") == b"1":
        values, used = _leading_map(stream, stored)
        return Sparse(numbers.decimal(length), stored - used, _pairs(values))
    texts = listed or pax.get(b"GNU.sparse.map", b"").split(b",")
    return Sparse(numbers.decimal(length), stored, _pairs([numbers.decimal(text) for text in texts if text]))


def hash_sparse(stream: Stream, sparse: Sparse) -> bytes:
    """Give the SHA-256 of the file with its holes filled with zeros."""
    engine, at = hashlib.sha256(), 0
    for offset, length in [*sparse.data, (sparse.length, 0)]:
        for start in range(at, offset, len(ZEROS)):
            engine.update(ZEROS[: offset - start])
        for piece in stream.pieces(length):
            engine.update(piece)
        at = offset + length
    return engine.digest()


def _leading_map(stream: Stream, stored: int) -> tuple[list[int], int]:
    # Format 1.0: the content begins with the number of parts and their offsets and lengths,
    # one decimal a line, padded to a block.
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
