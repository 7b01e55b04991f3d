"""Layers of an image on the node: unpacked directories, and blobs of containerd's content store."""

from __future__ import annotations

import contextlib
import hashlib
import io
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from driftline.cluster._channel import Channel, Unsupported
from driftline.cluster._containerd import Containerd
from driftline.errors import ContainerNotFound, CorruptImage, ImageError, ImageNotFound

__all__ = ["Blob", "ImageLayers", "find_layers"]

CONTENT = "containerd.services.content.v1.Content"
MAX_JSON_BYTES = 8 << 20
"""Bytes of a manifest or configuration; containerd itself reads at most 8 MiB (images/image.go)."""
READ_SECONDS = 600.0  # deadline for reading one blob through the API
# uname(2) machine names → GOARCH values, which the platform of a descriptor has (image-index.md).
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """Reference to a blob (image-spec v1.1, descriptor.md)."""

    media_type: str
    digest: str
    size: int
    platform: dict[str, Any] = {}


class Document(msgspec.Struct, frozen=True):
    """An image index (``manifests``) or an image manifest (``config``, ``layers``)."""

    manifests: list[Descriptor] = []
    config: Descriptor | None = None
    layers: list[Descriptor] = []


class Rootfs(msgspec.Struct, frozen=True):
    """Digests of the uncompressed layers, bottom first (config.md, ``rootfs``)."""

    diff_ids: list[str] = []


class Config(msgspec.Struct, frozen=True):
    """Image configuration, reduced to its layers (config.md)."""

    rootfs: Rootfs = Rootfs()


class Blob:
    """One packed layer in containerd's content store.

    containerd verified the bytes against the digest when it stored them. ``size`` is in bytes.
    """

    def __init__(self, store: _Store, described: Descriptor) -> None:
        self.digest, self.media_type, self.size = described.digest, described.media_type, described.size
        self._store = store

    def __repr__(self) -> str:
        return f"Blob({self.digest}, {self.media_type}, {self.size} bytes)"

    def open(self) -> BinaryIO:
        """Open the blob for reading; raise ``ImageError`` if containerd discarded it after unpacking."""
        return self._store.open(self.digest)


@dataclass(frozen=True, slots=True)
class ImageLayers:
    """Locations of an image's layers."""

    digest: str
    """Digest that the reference names: of a manifest or an index."""
    lowerdirs: tuple[bytes, ...]
    """Unpacked layers as paths on the node, topmost first; empty if not unpacked with overlayfs."""
    blobs: tuple[Blob, ...]
    """Packed layers, bottom first."""


class _Store:
    """Content store of one containerd namespace: files where its directory is readable, else gRPC."""

    def __init__(self, channel: Channel, namespace: str) -> None:
        self.channel, self.namespace = channel, namespace
        self._root = _content_root(channel)

    def open(self, digest: str) -> BinaryIO:
        """Open a blob; the caller closes it. Raises ``ImageError`` if the store has no such blob."""
        try:
            info = self.channel.containerd(f"{CONTENT}/Info", namespace=self.namespace, digest=digest).info
        except ContainerNotFound as error:
            raise ImageError(f"containerd no longer has {digest}; it may discard layers it unpacked") from error
        algorithm, _, value = digest.partition(":")
        try:
            return (self._root / "blobs" / algorithm / value).open("rb")
        except OSError:
            chunks = self.channel.containerd_stream(
                f"{CONTENT}/Read", namespace=self.namespace, timeout=READ_SECONDS, digest=digest, size=info.size
            )
            return io.BufferedReader(_Chunks(chunk.data for chunk in chunks), 1 << 20)

    def json(self, digest: str, kind: Any) -> Any:
        """Decode a JSON blob as ``kind``; raise ``CorruptImage`` if it does not have that form."""
        with self.open(digest) as blob:
            text = blob.read(MAX_JSON_BYTES)
        try:
            return msgspec.json.decode(text, type=kind)
        except msgspec.DecodeError as error:
            raise CorruptImage(f"{digest} is no {kind.__name__.lower()} of an image: {error}") from error


class _Chunks(io.RawIOBase):
    """Stream of byte strings as a readable file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # collections.abc.Buffer, since Python 3.12
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        into = memoryview(buffer)
        count = min(len(into), len(self._rest))
        into[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def find_layers(channel: Channel, reference: str) -> ImageLayers:
    """Find an image by its reference in any containerd namespace.

    Raises ``ImageNotFound`` if no namespace has the image; ``ImageError`` if the runtime is not
    containerd, or if the content cannot be read; ``CorruptImage`` for malformed documents.
    """
    containerd = Containerd(channel)
    try:
        namespaces = containerd.namespaces()
    except Unsupported as error:
        raise ImageError(f"{channel.path} is not containerd: no other runtime gives access to image layers") from error
    for namespace in namespaces:
        for name in _full_names(reference):
            try:
                target = containerd.image_digest(namespace, name)
            except ContainerNotFound:
                continue
            return _layers(channel, namespace, target)
    raise ImageNotFound(f"containerd at {channel.path} has no image {reference} in any of {', '.join(namespaces)}")


# containerd keeps images under full names ("docker.io/library/busybox:latest"), users write familiar
# ones ("busybox"); the rules are those of distribution/reference, "familiar names".
def _full_names(reference: str) -> list[str]:
    tagged = reference if ":" in reference.rpartition("/")[2] or "@" in reference else f"{reference}:latest"
    return list(dict.fromkeys([reference, tagged, f"docker.io/{tagged}", f"docker.io/library/{tagged}"]))


def _layers(channel: Channel, namespace: str, target: str) -> ImageLayers:
    store = _Store(channel, namespace)
    manifest = _manifest(store, target)
    # The chain id comes from the configuration, since manifests list the packed layers only.
    if manifest.config is None:
        raise CorruptImage(f"{target} is neither a manifest nor an index with a manifest for this machine")
    config = store.json(manifest.config.digest, Config)
    chain, lowerdirs = _chain_id(config.rootfs.diff_ids), tuple[bytes, ...]()
    with contextlib.suppress(ContainerNotFound):
        dirs = Containerd(channel).image_dirs(chain, namespace=namespace, snapshotter="overlayfs")
        lowerdirs = tuple(map(str.encode, dirs.lowerdirs))
    return ImageLayers(target, lowerdirs, tuple(Blob(store, layer) for layer in manifest.layers))


def _manifest(store: _Store, target: str) -> Document:
    document: Document = store.json(target, Document)
    if not document.manifests:
        return document
    machine = MACHINES.get(platform.machine(), platform.machine())
    matching = [d for d in document.manifests if d.platform.get("architecture", machine) == machine]
    if not matching:
        raise ImageError(f"{target} has no manifest for {machine}")
    chosen: Document = store.json(matching[0].digest, Document)
    return chosen


# image-spec v1.1, config.md, "Layer ChainID": the name of containerd's committed snapshot of the layers.
def _chain_id(diff_ids: list[str]) -> str:
    chain = diff_ids[0] if diff_ids else ""
    for diff_id in diff_ids[1:]:
        chain = f"sha256:{hashlib.sha256(f'{chain} {diff_id}'.encode()).hexdigest()}"
    return chain


# The content plugin exports its directory; the fallback is the default of containerd's configuration.
def _content_root(channel: Channel) -> Path:
    answer = channel.containerd(
        "containerd.services.introspection.v1.Introspection/Plugins", filters=["type==io.containerd.content.v1"]
    )
    roots = [pair.value for plugin in answer.plugins for pair in plugin.exports if pair.key == "root"]
    return Path(roots[0]) if roots else Path("/var/lib/containerd/io.containerd.content.v1.content")
