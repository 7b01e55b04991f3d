"""The drift decision, in three steps.

1. Origin: the location of the file's bytes, from the kernel's data; nothing is read (``origin``).
2. Content: the relation of the bytes to the image. The bytes of a file in a read-only layer of the
   container's own root cannot have been changed from inside the container, so the index suffices. All
   other files are hashed and compared with the index.
3. Drift: ``identical`` is never drift; everything else is, unless it could not be verified.

Rejected were two shortcuts. "Not in the upper layer is not drift": a directory renamed with overlayfs'
``redirect_dir`` keeps its files in the lower layer, under paths that the image does not have. "In the
upper layer is drift": chmod, touch, chown and opening for append copy a file up without changing its
bytes (https://docs.kernel.org/filesystems/overlayfs.html, "Non-directories" and "renaming directories").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from driftline.errors import Unreadable
from driftline.events import Content, Drift, Origin, Verdict, VolumeMount
from driftline.verdict.facts import ContainerRoot, Digest, Execution, FileFacts
from driftline.verdict.origin import FileLocation, is_lower, locate
from driftline.verdict.reason import explain, explain_untouched

__all__ = ["ImageFile", "ImageLookup", "Read", "decide"]

Read = Callable[[], Digest]
"""Function that reads and hashes the executed file. Raises ``errors.Unreadable`` with the reason in words."""


class ImageFile(Protocol):
    """A directory entry of an image: a regular file, or anything else."""

    @property
    def size(self) -> int:
        """Size of a regular file in bytes."""
        ...

    @property
    def sha256(self) -> str:
        """Lower-case hexadecimal digest of a regular file; empty for a directory, symbolic link or device."""
        ...


class ImageLookup(Protocol):
    """The content index of an image."""

    def at(self, path: bytes) -> ImageFile | None:
        """Return the image's entry at an absolute path, without following links; ``None`` if there is none."""
        ...

    def paths_of(self, sha256: str) -> Sequence[bytes]:
        """Return the absolute paths of the image's regular files with this digest; empty if there are none."""
        ...


_NO_INDEX = "there is no index of the image"
_CHANGED = "it was changed after it ran, before it was read"


# The relation of a file to the image. The note is the reason why the content is not verified, or a remark on it;
# the image paths are those with the same content, of relocated files.
class _Relation(msgspec.Struct, frozen=True):
    content: Content
    digest: Digest | None = None
    note: str = ""
    image_paths: Sequence[bytes] = ()


def decide(
    execution: Execution,
    *,
    root: ContainerRoot,
    image: ImageLookup | None,
    read: Read,
    volumes: Sequence[VolumeMount] = (),
) -> Verdict:
    """Return the verdict on one execution.

    ``root`` is the container's root as it was started, ``volumes`` are the mounts of its specification,
    which add the kinds of volumes. ``image`` is ``None`` if there is no index of the image (yet). ``read``
    is called at most once, and only if the kernel's data and the index do not suffice. Errors that it
    raises pass through, except ``Unreadable``, which makes the content ``unverified``.
    """
    # The frequent case first: a file of a read-only layer, at a path where the image has a regular file of the
    # same size. The size is compared to detect a layer that was changed on the node. Deleted files (no links)
    # have another origin and take the general path.
    file = execution.file
    image_file = image.at(file.fs_path) if image is not None and is_lower(file, root) else None
    if image_file is not None and file.nlink and image_file.sha256 and image_file.size == file.size:
        return _untouched(execution, image_file)
    location = locate(file, root, volumes)
    relation = _relate(file, root, location, image=image, read=read)
    digest = relation.digest
    return Verdict(
        subject=execution.subject,
        origin=location.origin,
        content=relation.content,
        drift=_drift(file, root, location, relation=relation, is_indexed=image is not None),
        reason=explain(execution, location, relation.content, note=relation.note, image_paths=relation.image_paths),
        path=location.path,
        volume=location.volume,
        sha256=digest.sha256 if digest else "",
        size=digest.size if digest else file.size,
    )


def _untouched(execution: Execution, image_file: ImageFile) -> Verdict:
    return Verdict(
        subject=execution.subject,
        origin=Origin.IMAGE,
        content=Content.IDENTICAL,
        drift=Drift.NO,
        reason=explain_untouched(execution),
        path=execution.file.path,
        sha256=image_file.sha256,
        size=image_file.size,
    )


# A file of a lower layer is identical without being read if the index has a regular file of the same size at its
# path. Without an index it is unverified and not read: it is not drift either way. All other files are read,
# even without an index, so that the event has their digest.
def _relate(
    file: FileFacts, root: ContainerRoot, location: FileLocation, *, image: ImageLookup | None, read: Read
) -> _Relation:
    image_file = image.at(location.image_path) if image is not None and location.image_path else None
    if is_lower(file, root):
        if image is None:
            return _Relation(Content.UNVERIFIED, note=_NO_INDEX)
        if image_file and image_file.sha256 and image_file.size == file.size:
            return _Relation(Content.IDENTICAL, Digest(image_file.sha256, image_file.size))
    try:
        digest = read()
    except Unreadable as error:
        return _Relation(Content.UNVERIFIED, note=str(error))
    if image is None:
        return _Relation(Content.UNVERIFIED, digest, note=_NO_INDEX)
    return _compare(file, location, image_file, digest=digest, image=image)


# Only a file in the image's tree can be identical: the same bytes on a volume, at the same path, are not the
# image's file. Relocated is tested before modified, because the same bytes elsewhere are more specific than
# different bytes here. A file that changed before it was read may have been restored to bytes of the image, so it is
# not verified as such, and its digest is not that of the bytes that ran; other bytes still count as drift.
def _compare(
    file: FileFacts, location: FileLocation, image_file: ImageFile | None, *, digest: Digest, image: ImageLookup
) -> _Relation:
    note = _CHANGED if digest.changed else ""
    image_paths = image.paths_of(digest.sha256)
    if digest.changed and image_paths:
        return _Relation(Content.UNVERIFIED, note=note)
    if location.in_image_tree and image_file and image_file.sha256 == digest.sha256:
        return _Relation(Content.IDENTICAL, digest, note)
    if image_paths and location.in_image_tree and file.truncated:
        return _Relation(Content.UNVERIFIED, digest, "the image has its bytes, but its path is too long to compare")
    if image_paths:
        return _Relation(Content.RELOCATED, digest, note, image_paths)
    return _Relation(Content.MODIFIED if image_file else Content.ADDED, digest, note)


# Unverified files are drift if they are outside the image's tree or new in the writable layer, because the image
# cannot have them. A lower file is not drift without an index or with a truncated path, because its bytes are those
# of the layer; with an index that does not have it, the layer was changed or a directory renamed: unknown. For a
# copied-up file only its bytes could tell: unknown.
def _drift(
    file: FileFacts, root: ContainerRoot, location: FileLocation, *, relation: _Relation, is_indexed: bool
) -> Drift:
    if relation.content == Content.IDENTICAL:
        return Drift.NO
    if relation.content != Content.UNVERIFIED or not location.in_image_tree:
        return Drift.YES  # outside the image's tree even the image's bytes are drift
    if is_lower(file, root):
        return Drift.UNKNOWN if is_indexed and not file.truncated else Drift.NO
    return Drift.YES if _is_new(file) else Drift.UNKNOWN


# New in the writable layer: no lower layer has the file, so it was not copied up.
def _is_new(file: FileFacts) -> bool:
    return file.upper and not file.lowers
