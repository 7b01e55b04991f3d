"""Layers as tar archives, uncompressed or compressed with gzip or zstd.

This is the form of layers in containerd's content store and in image archives. A layer is read
in two overlapping steps, since hashing and decompression release the GIL: a worker thread reads,
hashes and decompresses chunks; the caller's thread hashes the uncompressed bytes and parses the
archive. Memory is bounded by a handful of chunks.
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
from driftline.image.capabilities import XATTR, valid_capabilities
from driftline.image.entry import Kind
from driftline.image.limits import Budget

__all__ = ["Blob", "LayerBlob", "check_media_type", "is_compressed", "is_layer", "open_chunks", "read_blobs"]

CHUNK = 1 << 20  # bytes of one uncompressed chunk
GZIP_INPUT = 1 << 18  # compressed bytes read at a time
CHUNKS_AHEAD = 4  # chunks that the worker thread may decompress ahead of the parser
GZIP_MAGIC = b"\x1f\x8b\x08"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
MAX_ZSTD_WINDOW = 1 << 27  # bytes of history; the largest that zstd(1) accepts without --long=31

# OCI image-spec v1.1, layer.md, "Distributable Format"; Docker image manifest v2, schema 2.
LAYER_TYPES = frozenset(
    base + compression
    for base, compressions in {
        "application/vnd.oci.image.layer.v1.tar": ("", "+gzip", "+zstd"),
        "application/vnd.docker.image.rootfs.diff.tar": ("", ".gzip", ".zstd"),
    }.items()
    for compression in compressions
)
# Layers whose bytes may be only at a URL, such as Windows base layers (layer.md, "Non-Distributable Layers"). Where the
# image has the bytes nevertheless, containerd unpacks them like those of any other layer.
FOREIGN_TYPES = frozenset(
    kind.replace(".layer.v1.", ".layer.nondistributable.v1.").replace(".rootfs.diff.", ".rootfs.foreign.diff.")
    for kind in LAYER_TYPES
)


class LayerBlob(Protocol):
    """One packed layer of an image, independent of its storage.

    Implementations: ``Blob`` for archives on disk, ``cluster.Blob`` for containerd's content store.
    """

    @property
    def digest(self) -> str:
        """Digest ``sha256:…`` of the packed bytes, or "" where only ``diff_id`` is known."""

    @property
    def media_type(self) -> str:
        """Media type of the manifest, or ""; the compression is detected from the bytes."""

    def open(self) -> BinaryIO:
        """Open the packed bytes for reading; the caller closes the file."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A packed layer on disk, with the digests that the manifest and the configuration give."""

    digest: str
    """Digest ``sha256:…`` of the packed bytes, or "" where unknown; verified when read."""
    media_type: str
    """Media type of the manifest, or ""."""
    opener: Callable[[], BinaryIO]
    """Function that opens the packed bytes."""
    diff_id: str = ""
    """Digest ``sha256:…`` of the uncompressed archive, or "" where unknown; verified when read."""

    def open(self) -> BinaryIO:
        return self.opener()


def is_layer(media_type: str) -> bool:
    """Return whether a blob of this type is a layer; an empty type is unknown, and may be one."""
    return not media_type or media_type in LAYER_TYPES or media_type in FOREIGN_TYPES


def check_media_type(media_type: str) -> None:
    """Raise ``ImageError`` for a layer that is not a tar archive."""
    if not is_layer(media_type):
        raise errors.ImageError(f"a layer of type {media_type}; expected one of {', '.join(sorted(LAYER_TYPES))}")


def read_blobs(blobs: Sequence[LayerBlob], budget: Budget) -> tree.Directory:
    """Merge the layers, bottom first, into the directory tree that a container sees.

    Raises ``CorruptImage`` with the number and digest of a layer that is truncated, malformed, does
    not match its digest, or exceeds the limits; ``ImageError`` for foreign layers and layers that
    cannot be read.
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
    """Yield the uncompressed bytes of a layer in chunks; verify its digests at the end.

    A consumer that stops early gets no verification, so it must read to the end before trusting the
    bytes. Raises ``CorruptImage`` for malformed data and wrong digests, ``ImageError`` if the layer
    cannot be read. Close the generator to end its worker thread.
    """
    with _opened(blob) as file, ThreadPoolExecutor(1, "layer") as pool:
        chunks = _decompressed(_Hashed(file, blob.digest), budget)
        yield from _checked(_read_ahead(chunks, pool), getattr(blob, "diff_id", ""), "diff id")


def _opened(blob: LayerBlob) -> BinaryIO:
    try:
        return blob.open()
    except errors.ImageError as error:
        if blob.media_type not in FOREIGN_TYPES:
            raise
        raise errors.ImageError(
            f"a foreign layer ({blob.media_type}): its content is not part of the image and must be fetched elsewhere"
        ) from error


def _read_blob(blob: LayerBlob, layer: tree.Layer, *, number: int, budget: Budget) -> None:
    check_media_type(blob.media_type)
    with closing(open_chunks(blob, budget)) as chunks:
        for member in tar.members(tar.ChunkStream(chunks), budget=budget, on_global=layer.remove):
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


# The members with a special meaning in a layer; all others become a node of the layer's tree.
def _apply(layer: tree.Layer, member: tar.Member, number: int) -> None:
    parent, _, name = member.name.rstrip(b"/").rpartition(b"/")
    if name.startswith(WHITEOUT):
        _apply_whiteout(layer, parent, name)
    elif member.type == b"1":
        attributes = {"mode": member.mode, "uid": member.uid, "gid": member.gid}
        layer.add_link(member.name, member.link, **attributes, capabilities=_capabilities(member))
    elif member.type == b"5":
        layer.add(member.name, tree.Directory(mode=member.mode, uid=member.uid, gid=member.gid, layer=number))
    elif _is_overlay_whiteout(member):
        layer.replace_with_whiteout(member.name)
    else:
        layer.add(member.name, _node(member, number))


# layer.md, "Whiteouts" and "Opaque Whiteout". Names beginning with ".wh..wh." are aufs's own
# bookkeeping (.wh..wh.plnk, .wh..wh.aufs): containerd and Docker skip them, too.
def _apply_whiteout(layer: tree.Layer, parent: bytes, name: bytes) -> None:
    hidden = name[len(WHITEOUT) :]
    if name == OPAQUE:
        layer.add_opaque(parent)
    elif name.startswith(AUFS_PRIVATE):
        return
    elif hidden in (b"", b".", b".."):
        raise errors.CorruptImage(f"a whiteout without a name: {parent + b'/' + name!r}")
    else:
        layer.add_whiteout(parent + b"/" + hidden)


def _is_overlay_whiteout(member: tar.Member) -> bool:
    # Unpacked unchanged, a character device 0:0 is a whiteout to overlayfs
    # (Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories").
    return member.type == b"3" and member.device == 0


def _node(member: tar.Member, number: int) -> tree.Node:
    return tree.Node(
        KINDS[member.type],
        mode=0o777 if member.type == b"2" else member.mode,  # symlink(7): the mode of a symlink is always 0777
        uid=member.uid,
        gid=member.gid,
        layer=number,
        size=member.size,
        ref=member.sha256 or (member.link if member.type == b"2" else b""),
        device=member.device,
        capabilities=_capabilities(member) if member.type == b"0" else b"",
    )


def _capabilities(member: tar.Member) -> bytes:
    return valid_capabilities(member.xattrs.get(XATTR.encode(), b""))


# Bytes


class _Hashed:
    # A file that hashes every byte read and verifies the digest at the end.

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
        # The decompressor may stop before the end of the file; the digest covers all of it.
        while self.read(CHUNK):
            pass
        _check_digest(self._engine, self._digest, "digest")


# descriptor.md, "Registered Algorithms": every implementation must verify sha256, and may sha512.
def _engine(digest: str) -> hashlib._Hash:
    algorithm = digest.partition(":")[0] or "sha256"
    if algorithm not in ("sha256", "sha512"):
        raise errors.CorruptImage(f"a digest of algorithm {algorithm!r}; expected sha256 or sha512")
    return hashlib.new(algorithm)


def _check_digest(engine: hashlib._Hash, expected: str, label: str) -> None:
    found = f"{engine.name}:{engine.hexdigest()}"
    if expected and found != expected:
        raise errors.CorruptImage(f"its {label} is {found}, expected {expected}")


def _checked(chunks: Iterator[bytes], diff_id: str, label: str) -> Iterator[bytes]:
    engine = _engine(diff_id)
    for chunk in chunks:
        if diff_id:
            engine.update(chunk)
        yield chunk
    _check_digest(engine, diff_id, label)


# One worker thread keeps the chunks in order: ``next`` calls on one generator never overlap. An
# empty chunk marks the end.
def _read_ahead(chunks: Iterator[bytes], pool: ThreadPoolExecutor) -> Iterator[bytes]:
    pending = deque(pool.submit(next, chunks, b"") for _ in range(CHUNKS_AHEAD))
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
    # The bytes decide, not the media type, which is often wrong. containerd does the same
    # (DetectCompression in its archive/compression package).
    if head.startswith(GZIP_MAGIC):
        return _gunzip
    return _unzstd if is_compressed(head) else _read_uncompressed


def is_compressed(head: bytes) -> bool:
    """Report whether a file is gzip or zstd, by its first 4 bytes.

    A zstd file may begin with a skippable frame, 0x184D2A50 to 0x184D2A5F (RFC 8878, section 3.1.2).
    """
    skippable = head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50
    return skippable or head.startswith((GZIP_MAGIC, ZSTD_MAGIC))


def _read_uncompressed(head: bytes, file: _Hashed) -> Iterator[bytes]:
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
            # RFC 1952, section 2.2: a gzip file may have several members; pigz and eStargz write such.
            engine = isal_zlib.decompressobj(wbits=31)
    if not engine.eof:
        raise errors.CorruptImage("truncated gzip data")


def _unzstd(head: bytes, file: _Hashed) -> Iterator[bytes]:
    # A truncated last frame ends without an error here; the digest or the archive reader detects it.
    engine = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW)
    with engine.stream_reader(_Prefixed(head, file), read_across_frames=True, closefd=False) as reader:  # type: ignore[arg-type]
        try:
            while chunk := reader.read(CHUNK):
                yield chunk
        except zstandard.ZstdError as error:
            raise errors.CorruptImage(f"broken zstd data: {error}") from error


class _Prefixed:
    # A file with bytes put back in front of it: those that the format was detected from.

    def __init__(self, head: bytes, file: _Hashed) -> None:
        self._head = head
        self._file = file

    def read(self, size: int) -> bytes:
        head, self._head = self._head, b""
        return head or self._file.read(size)
