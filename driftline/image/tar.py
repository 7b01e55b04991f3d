"""Streaming reader of tar archives that hashes the contents it passes.

The standard library's ``tarfile`` reads the same formats, but costs as much as decompression and
hashing together (bench/image_index.py measures both). This reader supports the formats found in
layers: ustar, PAX (paths, numbers, xattrs, sparse 0.0, 0.1, 1.0) and GNU (long names, base-256
numbers, sparse). Where the formats are ambiguous it follows Go's ``archive/tar``, because the
container runtimes unpack with that: entries without content have none whatever their size field says,
an empty PAX value keeps the value of the header, of several PAX headers before one entry the last one
counts, and a global PAX header ends the headers before it; its values do not apply to members.

Format: POSIX.1-2001 pax(1), "ustar Interchange Format" and "pax Extended Header"; GNU tar manual,
"Basic Tar Format".
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO

import msgspec

from driftline import errors
from driftline.image import numbers, sparse
from driftline.image.limits import Budget

__all__ = ["ChunkStream", "FileStream", "Member", "members"]

BLOCK = 512  # bytes; headers and contents are padded to a multiple
MAX_HEADER = 1 << 20  # bytes of one extended header: maxSpecialFileSize of Go's archive/tar
ZERO_BLOCK = bytes(BLOCK)

# name, mode, uid, gid, size, checksum, type, link name, magic and version, device major, minor, prefix
HEADER = struct.Struct("100s8s8s8s12s12x8s1s100s8s64x8s8s155s12x")
XATTR = b"SCHILY.xattr."  # prefix of PAX records that hold extended attributes (star, GNU tar, Go)

# Type flags: "0" and NUL (pre-POSIX) are regular files, "7" a contiguous file that Linux treats as one.
REGULAR = frozenset({b"0", b"\0", b"7"})
WITHOUT_CONTENT = frozenset({b"1", b"2", b"3", b"4", b"5", b"6"})


class Member(msgspec.Struct, frozen=True):
    """One member of an archive, with its extended headers applied."""

    name: bytes
    """Path as stored; may be absolute or contain ``..``."""
    type: bytes
    """``0`` regular, ``1`` hard link, ``2`` symlink, ``3`` character device, ``4`` block
    device, ``5`` directory, ``6`` FIFO."""
    mode: int
    """Permission bits with set-user-id, set-group-id and sticky bit."""
    uid: int
    """User id of the owner, 32 bits."""
    gid: int
    """Group id of the owner, 32 bits."""
    size: int
    """Bytes of a regular file's content, holes included; else 0."""
    link: bytes
    """Target of a hard link or symlink, else b""."""
    device: int
    """``st_rdev`` of a device, as ``os.makedev`` returns it; else 0."""
    sha256: bytes
    """32 bytes for a regular file that was hashed, else b""."""
    xattrs: Mapping[bytes, bytes]
    """Extended attributes by name, such as ``trusted.overlay.opaque``."""
    offset: int
    """Offset of the content in the archive; -1 for a ``ChunkStream``."""


class ChunkStream:
    """Byte stream that arrives in chunks and can be read once.

    Every method raises ``CorruptImage`` if the stream ends too early.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = b""
        self._at = 0

    @property
    def offset(self) -> int:
        """Position in the archive; -1, since a stream of chunks does not count its bytes."""
        return -1

    def take(self, count: int) -> bytes:
        """Read exactly ``count`` bytes."""
        start, end = self._at, self._at + count
        if end <= len(self._chunk):
            self._at = end
            return self._chunk[start:end]
        return b"".join(self.pieces(count))

    def take_block(self) -> bytes | None:
        """Read a block of 512 bytes; return ``None`` at the end of the stream."""
        if self._at == len(self._chunk) and not self._fill():
            return None
        return self.take(BLOCK)

    def pieces(self, count: int) -> Iterator[memoryview]:
        """Yield exactly ``count`` bytes in pieces, without copying them."""
        while count:
            if self._at == len(self._chunk) and not self._fill():
                raise errors.CorruptImage(f"truncated: {count} more bytes were expected")
            piece = memoryview(self._chunk)[self._at : self._at + count]
            self._at += len(piece)
            count -= len(piece)
            yield piece

    def skip(self, count: int) -> None:
        """Discard ``count`` bytes."""
        for _ in self.pieces(count):
            pass

    def drain(self) -> None:
        """Read to the end of the stream, so that its digest is verified."""
        while self._fill():
            pass

    def _fill(self) -> bool:
        self._chunk = next(self._chunks, b"")
        self._at = 0
        return bool(self._chunk)


class FileStream(ChunkStream):
    """Seekable archive: contents are skipped by seeking instead of reading."""

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


def members(
    stream: ChunkStream,
    *,
    hashed: bool = True,
    budget: Budget | None = None,
    on_global: Callable[[bytes], None] | None = None,
) -> Iterator[Member]:
    """Yield the members of an archive to its end.

    With ``hashed=False`` contents are skipped and ``Member.sha256`` is empty. ``budget`` counts the
    holes of sparse files; the bytes of the stream are counted by its producer. ``on_global`` is called
    with the name of each global PAX header: unpacking tools remove what they have at that name. Raises
    ``CorruptImage`` for a truncated or malformed archive.
    """
    extended = _Extended()
    while (block := _next_header(stream)) is not None:
        fields = HEADER.unpack(block)
        reader = _EXTENSIONS.get(fields[6])
        if reader is not None:
            reader(extended, _extension(stream, numbers.octal(fields[4], "size")))
            continue
        if fields[6] == b"g":
            _take_global(stream, fields, on_global)
            extended = _Extended()
            continue
        yield _member(stream, block, extended, hashed=hashed, budget=budget)
        extended = _Extended()
    stream.drain()


def _take_global(stream: ChunkStream, fields: Sequence[bytes], on_global: Callable[[bytes], None] | None) -> None:
    header = _Extended()
    header.read_pax(_extension(stream, numbers.octal(fields[4], "size")))
    name = header.pax.get(b"path") or _name(fields[0], fields[8], fields[11])
    if on_global and name:
        on_global(name)


class _Extended:
    # Values of the 'x', 'L' and 'K' headers, which apply to the next member only.

    __slots__ = ("link", "name", "pax", "sparse")

    def __init__(self) -> None:
        self.name = self.link = b""
        self.pax: dict[bytes, bytes] = {}
        self.sparse: list[bytes] = []  # offset, length, offset, length … of format 0.0

    def read_pax(self, data: bytes) -> None:
        self.pax, self.sparse = {}, []
        # A record is "LENGTH KEY=VALUE\n", and LENGTH counts itself; values may hold any byte.
        while data:
            length, space, _ = data[:20].partition(b" ")
            if not (space and length.isdigit() and len(length) < int(length) <= len(data)):
                raise errors.CorruptImage(f"a PAX header has no record of the form 'length key=value': {data[:40]!r}")
            record, data = data[len(length) + 1 : int(length)], data[int(length) :]
            key, equals, value = record[:-1].partition(b"=")
            if not (equals and key and record.endswith(b"\n")):
                raise errors.CorruptImage(f"a PAX record is not 'key=value': {record[:40]!r}")
            # Format 0.0 repeats these keys, one pair for each segment; a dictionary would keep the last.
            if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
                self.sparse.append(value)
            elif value:
                self.pax[key] = value
            else:
                self.pax.pop(key, None)

    def read_name(self, data: bytes) -> None:
        self.name = _text(data)

    def read_link(self, data: bytes) -> None:
        self.link = _text(data)


# "x" is the POSIX extended header; "L" and "K" hold GNU's long name and long link target.
_EXTENSIONS = {
    b"x": _Extended.read_pax,
    b"L": _Extended.read_name,
    b"K": _Extended.read_link,
}


def _member(stream: ChunkStream, block: bytes, extended: _Extended, *, hashed: bool, budget: Budget | None) -> Member:
    name, mode, uid, gid, size, _, kind, link, magic, major, minor, prefix = HEADER.unpack(block)
    # Precedence as in archive/tar: GNU long name, PAX record, header field.
    pax = extended.pax
    name = _name(name, magic, prefix) if not (extended.name or b"path" in pax) else extended.name or pax[b"path"]
    stored = numbers.decimal(pax[b"size"]) if b"size" in pax else numbers.octal(size, "size")
    # Before POSIX, a directory was a regular file whose name ends with a slash.
    if kind == b"\0" and name.endswith(b"/"):
        kind = b"5"
    length, digest, offset = 0, b"", stream.offset
    if kind in REGULAR or kind == b"S":
        # Sparse formats 0.1 and 1.0 give the header an invented name ("GNUSparseFile.PID/…").
        name = pax.get(b"GNU.sparse.name", name)
        length, digest = _content(stream, block, extended, stored=stored, hashed=hashed, budget=budget)
        kind = b"0"
    elif kind not in WITHOUT_CONTENT:
        raise errors.CorruptImage(f"{name!r} has the tar type {kind!r}, which no layer can contain")
    link = extended.link or pax.get(b"linkpath") or _text(link)
    if b"\0" in name or b"\0" in link or not name:
        raise errors.CorruptImage(f"not a valid name: {name[:60]!r} {link[:60]!r}")
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
    # Two zero blocks end an archive; the file may also just end, as archive/tar accepts.
    if block == ZERO_BLOCK:
        second = stream.take_block()
        if second not in (None, ZERO_BLOCK):
            raise errors.CorruptImage("a single zero block within the archive")
        return None
    _check_sum(block)
    return block


def _check_sum(block: bytes) -> None:
    # The checksum field counts as eight spaces.
    found = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    try:
        claimed = numbers.octal(block[148:156], "checksum")
    except errors.CorruptImage as error:
        raise errors.CorruptImage(f"not a tar header: it begins with {block[:16]!r}") from error
    # Some old writers summed signed bytes; archive/tar accepts either sum.
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
    # GNU headers (magic "ustar  \0") use the bytes of ustar's prefix field for other values.
    head = _text(prefix) if magic == b"ustar\x0000" else b""
    return head + b"/" + _text(name) if head else _text(name)


def _id(pax: bytes | None, field: bytes) -> int:
    number = numbers.decimal(pax) if pax else numbers.octal(field, "owner")
    if number > 0xFFFFFFFF:
        raise errors.CorruptImage(f"{number} is not a user or group id (32 bits)")
    return number


def _device(major: bytes, minor: bytes) -> int:
    pair = numbers.octal(major, "device major"), numbers.octal(minor, "device minor")
    if pair[0] >= 1 << 12 or pair[1] >= 1 << 20:  # MKDEV in include/linux/kdev_t.h
        raise errors.CorruptImage(f"not a Linux device number: {pair}")
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
