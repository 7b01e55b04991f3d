"""A streaming reader of tar archives that hashes what it passes.

The standard library's ``tarfile`` reads the same formats, but costs as much as decompressing
and hashing together (bench/image_index.py measures both). This one reads what layers are made
of: ustar, PAX (paths, numbers, xattrs, sparse 0.0, 0.1, 1.0) and GNU (long names, base-256
numbers, sparse). Where formats leave room it decides as Go's ``archive/tar`` does, since the
container runtimes unpack with that: global PAX headers are ignored, entries without content
have none whatever their size field says, an empty PAX value keeps the header's.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator, Mapping
from typing import BinaryIO

import msgspec

from driftline import errors
from driftline.image import numbers, sparse
from driftline.image.limits import Budget

__all__ = ["ChunkStream", "FileStream", "Member", "members"]

BLOCK = 512
MAX_HEADER = 1 << 20  # extended headers, as archive/tar's maxSpecialFileSize
ZERO_BLOCK = bytes(BLOCK)

# name, mode, uid, gid, size, checksum, type, link name, magic and version, device major, minor, prefix
HEADER = struct.Struct("100s8s8s8s12s12x8s1s100s8s64x8s8s155s12x")
XATTR = b"SCHILY.xattr."

REGULAR = frozenset({b"0", b"\0", b"7"})
WITHOUT_CONTENT = frozenset({b"1", b"2", b"3", b"4", b"5", b"6"})


class Member(msgspec.Struct, frozen=True):
    """One member of an archive, extended headers applied."""

    name: bytes
    type: bytes
    """``0`` regular, ``1`` hard link, ``2`` symlink, ``3`` character device, ``4`` block
    device, ``5`` directory, ``6`` FIFO."""
    mode: int
    uid: int
    gid: int
    size: int
    """Bytes of a regular file's content with its holes, else 0."""
    link: bytes
    device: int
    sha256: bytes
    """32 bytes for a regular file that was hashed, else b""."""
    xattrs: Mapping[bytes, bytes]
    offset: int
    """Where the content begins in the archive, for a ``FileStream``."""


class ChunkStream:
    """Bytes that arrive in chunks and are read once."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = b""
        self._at = 0

    @property
    def offset(self) -> int:
        return -1

    def take(self, count: int) -> bytes:
        """Read exactly ``count`` bytes."""
        start, end = self._at, self._at + count
        if end <= len(self._chunk):
            self._at = end
            return self._chunk[start:end]
        return b"".join(self.pieces(count))

    def take_block(self) -> bytes | None:
        """Read a block of 512 bytes, or give None at the end of the stream."""
        if self._at == len(self._chunk) and not self._fill():
            return None
        return self.take(BLOCK)

    def pieces(self, count: int) -> Iterator[memoryview]:
        """Read exactly ``count`` bytes without joining them."""
        while count:
            if self._at == len(self._chunk) and not self._fill():
                raise errors.CorruptImage(f"truncated: {count} more bytes were expected")
            piece = memoryview(self._chunk)[self._at : self._at + count]
            self._at += len(piece)
            count -= len(piece)
            yield piece

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes."""
        for _ in self.pieces(count):
            pass

    def drain(self) -> None:
        """Read to the end of the stream."""
        while self._fill():
            pass

    def _fill(self) -> bool:
        self._chunk = next(self._chunks, b"")
        self._at = 0
        return bool(self._chunk)


class FileStream(ChunkStream):
    """A seekable archive: contents are passed over without reading them."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(iter(()))
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        file.seek(0)

    @property
    def offset(self) -> int:
        return self._file.tell()

    def take(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) < count:
            raise errors.CorruptImage(f"truncated: {count - len(data)} more bytes were expected")
        return data

    def take_block(self) -> bytes | None:
        return self.take(BLOCK) if self.offset < self._size else None

    def pieces(self, count: int) -> Iterator[memoryview]:
        while count:
            piece = self.take(min(count, 1 << 20))
            count -= len(piece)
            yield memoryview(piece)

    def skip(self, count: int) -> None:
        missing = self.offset + count - self._size
        if missing > 0:
            raise errors.CorruptImage(f"truncated: {missing} more bytes were expected")
        self._file.seek(count, os.SEEK_CUR)

    def drain(self) -> None:
        pass


def members(stream: ChunkStream, *, hashed: bool = True, budget: Budget | None = None) -> Iterator[Member]:
    """Read an archive to its end; without ``hashed``, contents are passed over.

    The holes of sparse files count in ``budget``; what the stream itself holds does not.
    Raises ``CorruptImage`` for a truncated or malformed archive.
    """
    extended = _Extended()
    while (block := _next_header(stream)) is not None:
        fields = HEADER.unpack(block)
        reader = _EXTENSIONS.get(fields[6])
        if reader is not None:
            reader(extended, _extension(stream, numbers.octal(fields[4], "size")))
            continue
        yield _member(stream, block, extended, hashed=hashed, budget=budget)
        extended = _Extended()
    stream.drain()


class _Extended:
    # What 'x', 'L' and 'K' headers say of the member after them.

    __slots__ = ("link", "name", "pax", "sparse")

    def __init__(self) -> None:
        self.name = self.link = b""
        self.pax: dict[bytes, bytes] = {}
        self.sparse: list[bytes] = []  # offset, length, offset, length … of format 0.0

    def read_pax(self, data: bytes) -> None:
        while data:
            length, space, _ = data[:20].partition(b" ")
            if not (space and length.isdigit() and len(length) < int(length) <= len(data)):
                raise errors.CorruptImage(f"a PAX header has no record of the form 'length key=value': {data[:40]!r}")
            record, data = data[len(length) + 1 : int(length)], data[int(length) :]
            key, equals, value = record[:-1].partition(b"=")
            if not (equals and key and record.endswith(b"\n")):
                raise errors.CorruptImage(f"a PAX record is not 'key=value': {record[:40]!r}")
            if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
                self.sparse.append(value)
            elif value:
                self.pax[key] = value

    def read_name(self, data: bytes) -> None:
        self.name = _text(data)

    def read_link(self, data: bytes) -> None:
        self.link = _text(data)

    def ignore(self, data: bytes) -> None:
        pass


_EXTENSIONS = {
    b"x": _Extended.read_pax,
    b"g": _Extended.ignore,
    b"L": _Extended.read_name,
    b"K": _Extended.read_link,
}


def _member(stream: ChunkStream, block: bytes, extended: _Extended, *, hashed: bool, budget: Budget | None) -> Member:
    name, mode, uid, gid, size, _, kind, link, magic, major, minor, prefix = HEADER.unpack(block)
    pax = extended.pax
    name = _name(name, magic, prefix) if not (extended.name or b"path" in pax) else extended.name or pax[b"path"]
    stored = numbers.decimal(pax[b"size"]) if b"size" in pax else numbers.octal(size, "size")
    if kind == b"\0" and name.endswith(b"/"):
        kind = b"5"
    length, digest, offset = 0, b"", stream.offset
    if kind in REGULAR or kind == b"S":
        name = pax.get(b"GNU.sparse.name", name)
        length, digest = _content(stream, block, extended, stored=stored, hashed=hashed, budget=budget)
        kind = b"0"
    elif kind not in WITHOUT_CONTENT:
        raise errors.CorruptImage(f"{name!r} has the tar type {kind!r}, which is no file a layer can hold")
    link = extended.link or pax.get(b"linkpath") or _text(link)
    if b"\0" in name or b"\0" in link or not name:
        raise errors.CorruptImage(f"not a name: {name[:60]!r} {link[:60]!r}")
    return Member(
        name=name,
        type=kind,
        mode=numbers.octal(mode, "mode") & 0o7777,
        uid=_id(pax.get(b"uid"), uid),
        gid=_id(pax.get(b"gid"), gid),
        size=length,
        link=link,
        device=_device(major, minor) if kind in (b"3", b"4") else 0,
        sha256=digest,
        xattrs=_xattrs(pax) if pax else {},
        offset=offset,
    )


def _next_header(stream: ChunkStream) -> bytes | None:
    block = stream.take_block()
    if block is None:
        return None
    if block == ZERO_BLOCK:
        second = stream.take_block()
        if second not in (None, ZERO_BLOCK):
            raise errors.CorruptImage("a single zero block amid the archive")
        return None
    _check_sum(block)
    return block


def _check_sum(block: bytes) -> None:
    found = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    try:
        claimed = numbers.octal(block[148:156], "checksum")
    except errors.CorruptImage as error:
        raise errors.CorruptImage(f"not a tar header: it begins with {block[:16]!r}") from error
    # Some old writers summed signed bytes; archive/tar takes either.
    if claimed != found and claimed != found - 256 * sum(b > 127 for b in block[:148] + block[156:]):
        raise errors.CorruptImage(f"not a tar header: checksum {claimed}, expected {found}")


def _extension(stream: ChunkStream, size: int) -> bytes:
    if size > MAX_HEADER:
        raise errors.CorruptImage(f"an extended header of {size} bytes (at most {MAX_HEADER})")
    data = stream.take(size)
    stream.skip(-size % BLOCK)
    return data


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _name(name: bytes, magic: bytes, prefix: bytes) -> bytes:
    # GNU headers ("ustar  \0") keep other things where ustar has the prefix.
    head = _text(prefix) if magic == b"ustar\x0000" else b""
    return head + b"/" + _text(name) if head else _text(name)


def _id(pax: bytes | None, field: bytes) -> int:
    number = numbers.decimal(pax) if pax else numbers.octal(field, "owner")
    if number > 0xFFFFFFFF:
        raise errors.CorruptImage(f"{number} is no user or group id (32 bits)")
    return number


def _device(major: bytes, minor: bytes) -> int:
    pair = numbers.octal(major, "device major"), numbers.octal(minor, "device minor")
    if pair[0] >= 1 << 12 or pair[1] >= 1 << 20:  # MKDEV in include/linux/kdev_t.h
        raise errors.CorruptImage(f"no device number of Linux: {pair}")
    return os.makedev(*pair)


def _xattrs(pax: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    return {key[len(XATTR) :]: value for key, value in pax.items() if key.startswith(XATTR)}


def _content(
    stream: ChunkStream, block: bytes, extended: _Extended, *, stored: int, hashed: bool, budget: Budget | None
) -> tuple[int, bytes]:
    holes = _sparse(stream, block, extended, stored=stored)
    if holes:
        if budget:
            budget.spend_bytes(holes.length - holes.stored)
        digest = sparse.hash_sparse(stream, holes) if hashed else _skip(stream, holes.stored)
        stream.skip(-holes.stored % BLOCK)
        return holes.length, digest
    digest = _hash(stream, stored) if hashed else _skip(stream, stored)
    stream.skip(-stored % BLOCK)
    return stored, digest


def _sparse(stream: ChunkStream, block: bytes, extended: _Extended, *, stored: int) -> sparse.SparseMap | None:
    if block[156:157] == b"S":
        return sparse.from_gnu(stream, block, stored=stored)
    if not extended.pax:
        return None
    return sparse.from_pax(stream, extended.pax, extended.sparse, stored=stored)


def _hash(stream: ChunkStream, size: int) -> bytes:
    engine = hashlib.sha256()
    for piece in stream.pieces(size):
        engine.update(piece)
    return engine.digest()


def _skip(stream: ChunkStream, size: int) -> bytes:
    stream.skip(size)
    return b""
