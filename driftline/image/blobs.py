"""Layers as containerd's content store and image archives hold them: tar, gzip, zstd.

A layer is read in two overlapping steps, since hashing and decompression release the GIL:
one thread reads, hashes and decompresses chunks, the caller's thread hashes what came out and
takes the archive apart. Memory is bounded by a handful of chunks.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import zstandard
from isal import isal_zlib

from driftline import errors
from driftline.image import tar, tree
from driftline.image.entry import Kind
from driftline.image.limits import Budget

__all__ = ["Blob", "LayerBlob", "check_media_type", "is_compressed", "open_chunks", "read_blobs"]

CHUNK = 1 << 20
GZIP_INPUT = 1 << 18
AHEAD = 4
GZIP_MAGIC = b"\x1f\x8b\x08"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
MAX_ZSTD_WINDOW = 1 << 27  # what zstd(1) takes without --long=31

LAYER_TYPES = frozenset(
    base + compression
    for base, compressions in {
        "application/vnd.oci.image.layer.v1.tar": ("", "+gzip", "+zstd"),
        "application/vnd.docker.image.rootfs.diff.tar": ("", ".gzip", ".zstd"),
    }.items()
    for compression in compressions
)
FOREIGN_TYPES = (
    "application/vnd.oci.image.layer.nondistributable.",
    "application/vnd.docker.image.rootfs.foreign.",
)


class LayerBlob(Protocol):
    """One layer of an image, as whoever keeps the bytes gives it."""

    @property
    def digest(self) -> str:
        """``sha256:…`` of the blob, or "" where only ``diff_id`` is known."""

    @property
    def media_type(self) -> str:
        """As in the manifest, or "". What the bytes say of their compression counts."""

    def open(self) -> BinaryIO:
        """Open the blob's bytes for reading."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A layer's bytes with what the manifest and the config say of them."""

    digest: str
    media_type: str
    opener: Callable[[], BinaryIO]
    diff_id: str = ""
    """``sha256:…`` of the uncompressed archive, or "" where unknown."""

    def open(self) -> BinaryIO:
        return self.opener()


def check_media_type(media_type: str) -> None:
    """Refuse layers whose bytes are elsewhere or are no tar archive, with ``ImageError``."""
    if media_type.startswith(FOREIGN_TYPES):
        raise errors.ImageError(
            f"a foreign layer ({media_type}): its content is not part of the image and must be fetched elsewhere"
        )
    if media_type and media_type not in LAYER_TYPES:
        raise errors.ImageError(f"a layer of type {media_type}; expected one of {', '.join(sorted(LAYER_TYPES))}")


def read_blobs(blobs: Sequence[LayerBlob], budget: Budget) -> tree.Directory:
    """Merge the layers, bottom first, into the tree a container sees.

    Raises ``CorruptImage`` naming the layer that is truncated, malformed, does not have its
    digest, or asks for more than the limits allow; ``ImageError`` for foreign layers.
    """
    if len(blobs) > budget.limits.layers:
        raise errors.CorruptImage(f"{len(blobs)} layers (at most {budget.limits.layers})")
    image = tree.Directory()
    for number, blob in enumerate(blobs):
        layer = tree.Layer(image, number=number, budget=budget)
        try:
            _read_blob(blob, layer, number=number, budget=budget)
        except errors.ImageError as error:
            name = blob.digest or getattr(blob, "diff_id", "")
            raise type(error)(f"layer {number} ({name}): {error}") from error
        image = tree.merge(image, layer.root)
    return image


def open_chunks(blob: LayerBlob, budget: Budget) -> Generator[bytes, None, None]:
    """Give the uncompressed bytes of a blob in chunks, its digests checked at the end."""
    with blob.open() as file, ThreadPoolExecutor(1, "layer") as pool:
        chunks = _decompressed(_Hashed(file, blob.digest), budget)
        yield from _checked(_read_ahead(chunks, pool), getattr(blob, "diff_id", ""), "diff id")


def _read_blob(blob: LayerBlob, layer: tree.Layer, *, number: int, budget: Budget) -> None:
    check_media_type(blob.media_type)
    with closing(open_chunks(blob, budget)) as chunks:
        for member in tar.members(tar.ChunkStream(chunks), budget=budget):
            _apply(layer, member, number)


# From archive members to the layer's tree (OCI image-spec v1.1, layer.md)

KINDS = {
    b"0": Kind.FILE,
    b"2": Kind.SYMLINK,
    b"3": Kind.CHARACTER_DEVICE,
    b"4": Kind.BLOCK_DEVICE,
    b"6": Kind.FIFO,
}
WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"
AUFS_PRIVATE = b".wh..wh."


def _apply(layer: tree.Layer, member: tar.Member, number: int) -> None:
    parent, _, name = member.name.rstrip(b"/").rpartition(b"/")
    if name.startswith(WHITEOUT):
        _apply_whiteout(layer, parent, name)
    elif member.type == b"1":
        layer.add_link(member.name, member.link)
    elif member.type == b"5":
        _apply_directory(layer, member, number)
    elif _is_overlay_whiteout(member):
        layer.replace_with_whiteout(member.name)
    else:
        layer.add(member.name, _node(member, number))


def _apply_whiteout(layer: tree.Layer, parent: bytes, name: bytes) -> None:
    hidden = name[len(WHITEOUT) :]
    if name == OPAQUE:
        layer.add_opaque(parent)
    elif name.startswith(AUFS_PRIVATE):
        return
    elif hidden in (b"", b".", b".."):
        raise errors.CorruptImage(f"a whiteout of no name: {parent + b'/' + name!r}")
    else:
        layer.add_whiteout(parent + b"/" + hidden)


def _apply_directory(layer: tree.Layer, member: tar.Member, number: int) -> None:
    made = tree.Directory(mode=member.mode, uid=member.uid, gid=member.gid, layer=number)
    there = layer.add(member.name, made)
    if isinstance(there, tree.Directory) and member.xattrs.get(b"trusted.overlay.opaque") == b"y":
        there.opaque = True


def _is_overlay_whiteout(member: tar.Member) -> bool:
    # Unpacked as it is, such a device makes overlayfs hide the name.
    return member.type == b"3" and member.device == 0


def _node(member: tar.Member, number: int) -> tree.Node:
    return tree.Node(
        KINDS[member.type],
        mode=0o777 if member.type == b"2" else member.mode,
        uid=member.uid,
        gid=member.gid,
        layer=number,
        size=member.size,
        ref=member.sha256 or (member.link if member.type == b"2" else b""),
        device=member.device,
    )


# Bytes


class _Hashed:
    # A file that hashes what is read and checks the sum at the end.

    def __init__(self, file: BinaryIO, digest: str) -> None:
        self._file = file
        self._digest = digest
        self._engine = _engine(digest)
        self.count = 0

    def read(self, size: int) -> bytes:
        try:
            data = self._file.read(size)
        except OSError as error:
            raise errors.ImageError(f"cannot be read: {error}") from error
        self._engine.update(data)
        self.count += len(data)
        return data

    def check(self) -> None:
        while self.read(CHUNK):
            pass
        _check_digest(self._engine, self._digest, "digest")


def _engine(digest: str) -> hashlib._Hash:
    algorithm = digest.partition(":")[0] or "sha256"
    if algorithm not in ("sha256", "sha512"):
        raise errors.CorruptImage(f"a digest by {algorithm!r}; expected sha256 or sha512")
    return hashlib.new(algorithm)


def _check_digest(engine: hashlib._Hash, expected: str, what: str) -> None:
    found = f"{engine.name}:{engine.hexdigest()}"
    if expected and found != expected:
        raise errors.CorruptImage(f"its {what} is {found}, expected {expected}")


def _checked(chunks: Iterator[bytes], diff_id: str, what: str) -> Iterator[bytes]:
    engine = _engine(diff_id)
    for chunk in chunks:
        if diff_id:
            engine.update(chunk)
        yield chunk
    _check_digest(engine, diff_id, what)


def _read_ahead(chunks: Iterator[bytes], pool: ThreadPoolExecutor) -> Iterator[bytes]:
    pending = deque(pool.submit(next, chunks, b"") for _ in range(AHEAD))
    try:
        while chunk := pending.popleft().result():
            pending.append(pool.submit(next, chunks, b""))
            yield chunk
    finally:
        for future in pending:
            future.cancel()


def _decompressed(file: _Hashed, budget: Budget) -> Iterator[bytes]:
    head = file.read(GZIP_INPUT)
    total = 0
    for chunk in _decompressor(head)(head, file):
        total += len(chunk)
        budget.spend_bytes(len(chunk))
        budget.check_ratio(file.count, total)
        yield chunk
    file.check()


def _decompressor(head: bytes) -> Callable[[bytes, _Hashed], Iterator[bytes]]:
    # Runtimes look at the bytes too (containerd's DetectCompression): media types lie.
    if head.startswith(GZIP_MAGIC):
        return _gunzip
    return _unzstd if is_compressed(head) else _as_it_is


def is_compressed(head: bytes) -> bool:
    """Tell from its first 4 bytes whether a file is gzip or zstd, which may begin with a skippable frame."""
    skippable = head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50
    return skippable or head.startswith((GZIP_MAGIC, ZSTD_MAGIC))


def _as_it_is(head: bytes, file: _Hashed) -> Iterator[bytes]:
    while head:
        yield head
        head = file.read(CHUNK)


def _gunzip(head: bytes, file: _Hashed) -> Iterator[bytes]:
    engine, data = isal_zlib.decompressobj(wbits=31), head
    while True:
        try:
            out = engine.decompress(data, CHUNK)
        except isal_zlib.error as error:  # type: ignore[misc]  # the stubs declare an instance
            raise errors.CorruptImage(f"broken gzip data: {error}") from error
        if out:
            yield out
        data = engine.unused_data if engine.eof else engine.unconsumed_tail
        if engine.eof or not (data or out):
            data = data or file.read(GZIP_INPUT)
            if not data:
                break
        if engine.eof:
            engine = isal_zlib.decompressobj(wbits=31)  # the next member: pigz, eStargz
    if not engine.eof:
        raise errors.CorruptImage("truncated gzip data")


def _unzstd(head: bytes, file: _Hashed) -> Iterator[bytes]:
    # A truncated last frame ends silently here; the digest or the archive reader notices.
    engine = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW)
    with engine.stream_reader(_Prefixed(head, file), read_across_frames=True, closefd=False) as reader:  # type: ignore[arg-type]
        try:
            while chunk := reader.read(CHUNK):
                yield chunk
        except zstandard.ZstdError as error:
            raise errors.CorruptImage(f"broken zstd data: {error}") from error


class _Prefixed:
    def __init__(self, head: bytes, file: _Hashed) -> None:
        self._head = head
        self._file = file

    def read(self, size: int) -> bytes:
        head, self._head = self._head, b""
        return head or self._file.read(size)
