"""``docker save`` archives that have ``manifest.json`` (Docker before 25.0, podman, kaniko, bazel)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from driftline import errors
from driftline.image import blobs, files, oci

__all__ = ["find_image", "is_archive"]

MANIFEST = "manifest.json"


class Saved(msgspec.Struct, frozen=True):
    """One image of the archive; paths are members of it."""

    config: str = msgspec.field(name="Config")
    layers: Sequence[str] = msgspec.field(name="Layers")
    tags: Sequence[str] | None = msgspec.field(name="RepoTags", default=None)


def is_archive(source: files.Files) -> bool:
    """Tell whether there is a ``docker save`` archive."""
    return MANIFEST in source


def find_image(source: files.Files, reference: str = "") -> oci.Image:
    """Choose one image by tag (``name:tag``) or id, "" taking the only one.

    The digest is the image's id, that of its config: such archives have no manifest digest.
    Raises ``ImageNotFound``, ``InvalidReference`` or ``CorruptImage`` as ``oci.find_image`` does.
    """
    try:
        images = msgspec.json.decode(files.read_document(source, MANIFEST), type=list[Saved])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise errors.CorruptImage(f"{source.place}: {MANIFEST} is no list of images: {error}") from error
    saved = _choose(source, images, reference)
    data = files.read_document(source, saved.config)
    return oci.Image("sha256:" + hashlib.sha256(data).hexdigest(), _layers(source, saved, data))


def _choose(source: files.Files, images: Sequence[Saved], reference: str) -> Saved:
    fitting = [image for image in images if not reference or reference in (*(image.tags or ()), _id(image))]
    if len(fitting) == 1:
        return fitting[0]
    known = ", ".join(name for image in images for name in (image.tags or (_id(image),))) or "none"
    if not fitting:
        raise errors.ImageNotFound(f"{source.place} has no image {reference!r}; it has {known}")
    raise errors.InvalidReference(f"{source.place} has {len(fitting)} images; name one of {known}")


def _id(image: Saved) -> str:
    return "sha256:" + image.config.removesuffix(".json").rpartition("/")[2]


def _layers(source: files.Files, saved: Saved, config: bytes) -> tuple[blobs.Blob, ...]:
    try:
        diff_ids = msgspec.json.decode(config, type=oci.Config).rootfs.diff_ids
    except (msgspec.MsgspecError, RecursionError) as error:
        raise errors.CorruptImage(f"{source.place}: {saved.config} is no image config: {error}") from error
    if len(diff_ids) != len(saved.layers):
        raise errors.CorruptImage(
            f"{source.place}: the config has {len(diff_ids)} diff ids for {len(saved.layers)} layers"
        )
    return tuple(_layer(source, name, diff_id) for name, diff_id in zip(saved.layers, diff_ids, strict=True))


def _layer(source: files.Files, name: str, diff_id: str) -> blobs.Blob:
    return blobs.Blob("", "", lambda: source.open(name), diff_id)
