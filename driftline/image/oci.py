"""OCI image layouts (image-spec v1.1, image-layout.md), as directories and as archives.

A layout holds ``index.json`` and blobs named by digest. Indexes may nest; the leaves are
manifests, one for each platform. Every document reached from ``index.json`` is verified against
its digest; unknown members are ignored.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from driftline import errors
from driftline.image import blobs, files

__all__ = ["Image", "find_image", "is_layout"]

MAX_NESTING = 8  # levels of indexes; real layouts have one or two
DIGEST = re.compile(r"(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})")
# uname(2) machine names → GOARCH values, which image-index.md prescribes for "architecture".
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
# annotations.md, "Pre-Defined Annotation Keys"; containerd's ``ctr image export`` writes its own as well.
NAME_ANNOTATIONS = ("org.opencontainers.image.ref.name", "io.containerd.image.name")
CONFIG_TYPES = frozenset(
    {"", "application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"}
)
INDEX_TYPES = frozenset(
    {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    }
)


class Platform(msgspec.Struct, frozen=True):
    """Platform of a manifest (image-index.md, ``platform``); empty members are unknown."""

    os: str = ""
    """GOOS value, such as ``linux``."""
    architecture: str = ""
    """GOARCH value, such as ``amd64``."""
    variant: str = ""
    """CPU variant, such as ``v8``; mostly empty."""


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """Reference to a blob (descriptor.md)."""

    digest: str
    media_type: str = ""
    size: int = 0
    """Bytes of the blob; not used, since the digest is verified."""
    annotations: Mapping[str, str] | None = None
    platform: Platform | None = None
    artifact_type: str = ""
    """Type of an artifact's manifest; empty for images."""


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """Image of one platform, or an artifact (manifest.md)."""

    config: Descriptor
    layers: Sequence[Descriptor]
    """Bottom layer first."""
    artifact_type: str = ""
    """Type of an artifact; empty for images."""
    subject: Descriptor | None = None
    """Manifest that an artifact refers to; an image has none."""


class Index(msgspec.Struct, frozen=True):
    """List of manifests or further indexes (image-index.md)."""

    manifests: Sequence[Descriptor]


class RootFS(msgspec.Struct, frozen=True):
    """Digests of the uncompressed layers (config.md, ``rootfs``), bottom first."""

    diff_ids: Sequence[str] = ()


class Config(msgspec.Struct, frozen=True):
    """Image configuration (config.md), reduced to its layers."""

    rootfs: RootFS = RootFS()


class Image(msgspec.Struct, frozen=True):
    """The chosen image."""

    digest: str
    """Digest of the manifest; of the configuration for ``docker save`` archives."""
    layers: Sequence[blobs.Blob]
    """Bottom layer first."""


def is_layout(source: files.Files) -> bool:
    """Report whether ``source`` is an OCI image layout."""
    return "index.json" in source


def find_image(source: files.Files, reference: str = "", *, platform: str = "") -> Image:
    """Choose one image of a layout.

    ``reference`` is an image name (annotation ``org.opencontainers.image.ref.name`` or containerd's
    ``io.containerd.image.name``) or a digest; "" matches every image. ``platform`` is
    ``os/architecture[/variant]``; "" is Linux on this machine's architecture. Raises
    ``ImageNotFound`` listing the images of the layout, ``InvalidReference`` if several images match,
    ``CorruptImage`` for malformed documents and wrong digests.
    """
    wanted = platform or f"linux/{ARCHITECTURES.get(os.uname().machine, os.uname().machine)}"
    named = _named(source, _load(source, "index.json", Index).manifests, reference)
    chosen = _choose(source, named, wanted)
    manifest = _parse(_verified(source, chosen.digest), Manifest, chosen.digest, source)
    return Image(chosen.digest, _layers(source, manifest))


def _named(source: files.Files, manifests: Sequence[Descriptor], reference: str) -> Sequence[Descriptor]:
    if not reference:
        return manifests
    found = [item for item in manifests if reference in (item.digest, *_names(item))]
    if not found and DIGEST.fullmatch(reference) and _blob_path(reference) in source:
        return [Descriptor(reference)]  # a digest of a nested index's manifest, not listed in index.json
    if not found:
        known = sorted({name for item in manifests for name in (*_names(item), item.digest)})
        raise errors.ImageNotFound(f"{source.location} has no image {reference!r}; it has {', '.join(known) or 'none'}")
    return found


def _names(item: Descriptor) -> tuple[str, ...]:
    annotations = item.annotations or {}
    return tuple(annotations[key] for key in NAME_ANNOTATIONS if key in annotations)


# The same manifest may be listed under several names; it is one candidate.
def _choose(source: files.Files, manifests: Sequence[Descriptor], platform: str) -> Descriptor:
    candidates = {item.digest: item for item in _flatten(source, manifests, depth=0)}
    matching = [item for item in candidates.values() if _fits(item.platform, platform)]
    if len(matching) > 1:
        matching = [item for item in matching if _is_image(source, item)] or matching
    if len(matching) == 1:
        return matching[0]
    if not matching:
        known = sorted({_platform_name(item.platform) for item in candidates.values()})
        raise errors.ImageNotFound(
            f"{source.location} has no image for {platform}; it has {', '.join(known) or 'none'}"
        )
    known = sorted({name for item in manifests for name in _names(item)} or {item.digest for item in matching})
    raise errors.InvalidReference(f"{source.location} has {len(matching)} images; name one of {', '.join(known)}")


def _flatten(source: files.Files, manifests: Sequence[Descriptor], *, depth: int) -> Iterator[Descriptor]:
    if depth > MAX_NESTING:
        raise errors.CorruptImage(f"{source.location}: indexes nested more than {MAX_NESTING} deep")
    for item in manifests:
        nested = _nested(source, item)
        if nested is None:
            yield item
        else:
            yield from _flatten(source, nested, depth=depth + 1)


# descriptor.md requires a media type, but some tools leave it out: then the document decides.
def _nested(source: files.Files, item: Descriptor) -> Sequence[Descriptor] | None:
    if item.media_type and item.media_type not in INDEX_TYPES:
        return None
    data = _verified(source, item.digest)
    if not item.media_type and b'"manifests"' not in data:
        return None
    return _parse(data, Index, item.digest, source).manifests


# Signatures, attestations and SBOMs lie beside an image as manifests without a platform (cosign's SIGNATURE_SPEC.md;
# image-spec v1.1, manifest.md, "Guidelines for Artifact Usage"). Their layers are no file systems, or they name their
# type or subject.
def _is_image(source: files.Files, item: Descriptor) -> bool:
    if item.artifact_type:
        return False
    data = _verified(source, item.digest)
    try:
        manifest = _parse(data, Manifest, item.digest, source)
    except errors.CorruptImage:  # a manifest of another form, such as ORAS's artifact manifests
        return False
    if manifest.artifact_type or manifest.subject is not None or manifest.config.media_type not in CONFIG_TYPES:
        return False
    return all(blobs.is_layer(layer.media_type) for layer in manifest.layers)


def _fits(found: Platform | None, wanted: str) -> bool:
    # A manifest without a platform matches any. BuildKit lists attestations as manifests of the
    # platform unknown/unknown (docs/attestations/attestation-storage.md), which matches none.
    return found is None or _platform_name(found) == wanted or f"{found.os}/{found.architecture}" == wanted


def _platform_name(platform: Platform | None) -> str:
    parts = (platform.os, platform.architecture, platform.variant) if platform else ("any platform",)
    return "/".join(part for part in parts if part)


def _layers(source: files.Files, manifest: Manifest) -> tuple[blobs.Blob, ...]:
    config = _parse(_verified(source, manifest.config.digest), Config, manifest.config.digest, source)
    diff_ids = config.rootfs.diff_ids or [""] * len(manifest.layers)
    if len(diff_ids) != len(manifest.layers):
        raise errors.CorruptImage(
            f"{source.location}: the config has {len(diff_ids)} diff ids for {len(manifest.layers)} layers"
        )
    return tuple(_layer(source, item, diff_id) for item, diff_id in zip(manifest.layers, diff_ids, strict=True))


def _layer(source: files.Files, item: Descriptor, diff_id: str) -> blobs.Blob:
    path = _blob_path(item.digest)
    return blobs.Blob(item.digest, item.media_type, lambda: source.open(path), diff_id)


# The pattern also keeps "..", "/" and NUL out of the path.
def _blob_path(digest: str) -> str:
    if not DIGEST.fullmatch(digest):
        raise errors.CorruptImage(f"not a digest: {digest[:100]!r}; expected sha256:<64 hexadecimal digits>")
    return "blobs/" + digest.replace(":", "/")


def _verified(source: files.Files, digest: str) -> bytes:
    data = files.read_document(source, _blob_path(digest))
    found = hashlib.new(digest.partition(":")[0], data).hexdigest()
    if found != digest.partition(":")[2]:
        raise errors.CorruptImage(f"{source.location}: the blob {digest} has the digest {found}")
    return data


T = TypeVar("T")


def _load(source: files.Files, name: str, kind: type[T]) -> T:
    return _parse(files.read_document(source, name), kind, name, source)


def _parse(data: bytes, kind: type[T], name: str, source: files.Files) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise errors.CorruptImage(f"{source.location}: {name} is no {kind.__name__.lower()}: {error}") from error
