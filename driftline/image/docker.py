"""``docker save`` archives with a ``manifest.json`` (Docker before 25.0, podman, kaniko, bazel).

Docker 25.0 and later write an OCI layout beside ``manifest.json``; ``sources`` reads that one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from driftline import errors
from driftline.image import blobs, files, oci

__all__ = ["find_image", "is_archive"]

MANIFEST = "manifest.json"


class SavedImage(msgspec.Struct, frozen=True):
    """One image of ``manifest.json``; its paths are members of the archive."""

    config: str = msgspec.field(name="Config")
    """Path of the image configuration."""
    layers: Sequence[str] = msgspec.field(name="Layers")
    """Paths of the uncompressed layers, bottom first."""
    tags: Sequence[str] | None = msgspec.field(name="RepoTags", default=None)
    """References ``name:tag``; ``None`` or empty for an untagged image."""


def is_archive(source: files.Files) -> bool:
    """Report whether ``source`` is a ``docker save`` archive."""
    return MANIFEST in source


def find_image(source: files.Files, reference: str = "") -> oci.Image:
    """Choose one image by tag (``name:tag``) or image id; "" chooses the only image.

    The digest of the result is the image id, which is the digest of the configuration: such
    archives have no manifest digest. Raises ``ImageNotFound`` listing the images of the archive,
    ``InvalidReference`` if several images match, ``CorruptImage`` for malformed documents.
    """
    try:
        images = msgspec.json.decode(files.read_document(source, MANIFEST), type=list[SavedImage])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise errors.CorruptImage(f"{source.location}: {MANIFEST} is no list of images: {error}") from error
    saved = _choose(source, images, reference)
    data = files.read_document(source, saved.config)
    return oci.Image("sha256:" + hashlib.sha256(data).hexdigest(), _layers(source, saved, data))


def _choose(source: files.Files, images: Sequence[SavedImage], reference: str) -> SavedImage:
    matching = [image for image in images if not reference or reference in (*(image.tags or ()), _id(image))]
    if len(matching) == 1:
        return matching[0]
    known = ", ".join(name for image in images for name in (image.tags or (_id(image),))) or "none"
    if not matching:
        raise errors.ImageNotFound(f"{source.location} has no image {reference!r}; it has {known}")
    raise errors.InvalidReference(f"{source.location} has {len(matching)} images; name one of {known}")


# The configuration is named by its digest: "HEX.json", or "blobs/sha256/HEX" since Docker 25.0.
def _id(image: SavedImage) -> str:
    return "sha256:" + image.config.removesuffix(".json").rpartition("/")[2]


def _layers(source: files.Files, saved: SavedImage, config: bytes) -> tuple[blobs.Blob, ...]:
    try:
        diff_ids = msgspec.json.decode(config, type=oci.Config).rootfs.diff_ids
    except (msgspec.MsgspecError, RecursionError) as error:
        raise errors.CorruptImage(f"{source.location}: {saved.config} is no image config: {error}") from error
    if len(diff_ids) != len(saved.layers):
        raise errors.CorruptImage(
            f"{source.location}: the config has {len(diff_ids)} diff ids for {len(saved.layers)} layers"
        )
    return tuple(_layer(source, name, diff_id) for name, diff_id in zip(saved.layers, diff_ids, strict=True))


# Layers carry no digest of their own here; the diff id of the configuration is verified instead.
def _layer(source: files.Files, name: str, diff_id: str) -> blobs.Blob:
    return blobs.Blob("", "", lambda: source.open(name), diff_id)
