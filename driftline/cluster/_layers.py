"""An image's layers as the node has them: unpacked directories, and blobs of the content store."""

from __future__ import annotations

import contextlib
import hashlib
import io
import platform
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from driftline.cluster._channel import Channel, Unsupported
from driftline.cluster._containerd import Containerd, mount_dirs
from driftline.errors import ContainerNotFound, CorruptImage, ImageError, ImageNotFound

__all__ = ["Blob", "ImageLayers", "find_layers"]

CONTENT = "containerd.services.content.v1.Content"
MOST_JSON_BYTES = 8 << 20
"""Manifests and configurations are small; containerd itself reads at most 8 MiB (images/image.go)."""
READ_SECONDS = 600.0
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """A reference to a blob (image-spec descriptor.md)."""

    media_type: str
    digest: str
    size: int
    platform: dict[str, Any] = {}


class Document(msgspec.Struct, frozen=True):
    """An index (``manifests``) or a manifest (``config``, ``layers``)."""

    manifests: list[Descriptor] = []
    config: Descriptor | None = None
    layers: list[Descriptor] = []


class Rootfs(msgspec.Struct, frozen=True):
    """The unpacked layers' digests, bottom first."""

    diff_ids: list[str] = []


class Config(msgspec.Struct, frozen=True):
    """An image configuration, as far as it is needed."""

    rootfs: Rootfs = Rootfs()


class Blob:
    """One packed layer. Its bytes were checked against the digest when containerd took them in."""

    def __init__(self, store: _Store, described: Descriptor) -> None:
        self.digest, self.media_type, self.size = described.digest, described.media_type, described.size
        self._store = store

    def __repr__(self) -> str:
        return f"Blob({self.digest}, {self.media_type}, {self.size} bytes)"

    def open(self) -> BinaryIO:
        """Open it for reading; raises ``ImageError`` if it was discarded after unpacking."""
        return self._store.open(self.digest)


@dataclass(frozen=True, slots=True)
class ImageLayers:
    """Where an image's content lies. ``digest`` is the reference's target: a manifest or an index.

    ``lowerdirs`` are the unpacked layers as paths on the node, topmost first, empty if they are
    not unpacked with overlayfs; ``blobs`` the packed ones, bottom first.
    """

    digest: str
    lowerdirs: tuple[bytes, ...]
    blobs: tuple[Blob, ...]


class _Store:
    """containerd's content store in one namespace: from its directory where that is readable, else by RPC."""

    def __init__(self, channel: Channel, namespace: str) -> None:
        self.channel, self.namespace = channel, namespace
        self._root = _content_root(channel)

    def open(self, digest: str) -> BinaryIO:
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
        with self.open(digest) as blob:
            text = blob.read(MOST_JSON_BYTES)
        try:
            return msgspec.json.decode(text, type=kind)
        except msgspec.DecodeError as error:
            raise CorruptImage(f"{digest} is no {kind.__name__.lower()} of an image: {error}") from error


class _Chunks(io.RawIOBase):
    """A stream of byte strings as a file."""

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
    """Find an image by its reference in any containerd namespace; raises ``ImageNotFound``, ``ImageError``."""
    containerd = Containerd(channel)
    try:
        namespaces = containerd.namespaces()
    except Unsupported as error:
        raise ImageError(f"{channel.path} is no containerd: it does not tell where image layers are") from error
    for namespace in namespaces:
        for name in _spellings(reference):
            try:
                target = containerd.image_digest(namespace, name)
            except ContainerNotFound:
                continue
            return _layers(channel, namespace, target)
    raise ImageNotFound(f"containerd at {channel.path} has no image {reference} in any of {', '.join(namespaces)}")


# What people write, and the full name containerd keeps (distribution/reference, familiar names).
def _spellings(reference: str) -> list[str]:
    tagged = reference if ":" in reference.rpartition("/")[2] or "@" in reference else f"{reference}:latest"
    return list(dict.fromkeys([reference, tagged, f"docker.io/{tagged}", f"docker.io/library/{tagged}"]))


def _layers(channel: Channel, namespace: str, target: str) -> ImageLayers:
    store = _Store(channel, namespace)
    manifest = _manifest(store, target)
    if manifest.config is None:
        raise CorruptImage(f"{target} is neither a manifest nor an index with one for this machine")
    config = store.json(manifest.config.digest, Config)
    lowerdirs = _unpacked(channel, namespace, _chain_id(config.rootfs.diff_ids))
    return ImageLayers(target, lowerdirs, tuple(Blob(store, layer) for layer in manifest.layers))


def _manifest(store: _Store, target: str) -> Document:
    document: Document = store.json(target, Document)
    if not document.manifests:
        return document
    machine = MACHINES.get(platform.machine(), platform.machine())
    fitting = [d for d in document.manifests if d.platform.get("architecture", machine) == machine]
    if not fitting:
        raise ImageError(f"{target} has no manifest for {machine}")
    chosen: Document = store.json(fitting[0].digest, Document)
    return chosen


# image-spec config.md, "Layer ChainID": the name containerd's snapshots of an image have.
def _chain_id(diff_ids: list[str]) -> str:
    chain = diff_ids[0] if diff_ids else ""
    for diff_id in diff_ids[1:]:
        chain = f"sha256:{hashlib.sha256(f'{chain} {diff_id}'.encode()).hexdigest()}"
    return chain


# Only a snapshot in use tells its mounts, so one is made to look and removed at once. Should this
# process die in between, containerd's garbage collector removes it, for nothing refers to it.
def _unpacked(channel: Channel, namespace: str, chain: str) -> tuple[bytes, ...]:
    key = f"driftline-look-{secrets.token_hex(8)}"
    snapshots, where = "containerd.services.snapshots.v1.Snapshots", {"snapshotter": "overlayfs", "key": key}
    try:
        view = channel.containerd(f"{snapshots}/View", namespace=namespace, parent=chain, **where)
    except ContainerNotFound:
        return ()
    with contextlib.suppress(ContainerNotFound):  # the collector was there first
        channel.containerd(f"{snapshots}/Remove", namespace=namespace, **where)
    return tuple(path.encode() for path in mount_dirs(view.mounts).lowerdirs)


def _content_root(channel: Channel) -> Path:
    answer = channel.containerd(
        "containerd.services.introspection.v1.Introspection/Plugins", filters=["type==io.containerd.content.v1"]
    )
    roots = [pair.value for plugin in answer.plugins for pair in plugin.exports if pair.key == "root"]
    return Path(roots[0]) if roots else Path("/var/lib/containerd/io.containerd.content.v1.content")
