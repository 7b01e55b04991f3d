"""The drift decision.

Three questions, each answered by the next stage only if the one before leaves it open:

1. Where do the bytes lie? (``origin``; the kernel's word, nothing is read)
2. How do they relate to the image? (a read-only layer of the container's own root vouches for
   itself; else the bytes are hashed and compared)
3. Is that drift? (``identical`` never; anything else yes, unless it could not be verified)

Rejected: to take "not on the upper layer" for "not drift" without asking the image (a directory
renamed with ``redirect_dir`` keeps its files in the lower layer), and "on the upper layer" for
drift (chmod, touch, chown and opening for append copy a file up and leave its bytes alone).
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
"""Reads the file that ran; raises ``errors.Unreadable`` with the reason in words."""


class ImageFile(Protocol):
    """What an image holds at one path."""

    @property
    def size(self) -> int:
        """Bytes of a regular file."""
        ...

    @property
    def sha256(self) -> str:
        """Lower-case hex digest of a regular file, "" for anything else."""
        ...


class ImageLookup(Protocol):
    """An image's content index."""

    def at(self, path: bytes) -> ImageFile | None:
        """Give what the image has at an absolute path, links not followed."""
        ...

    def paths_of(self, sha256: str) -> Sequence[bytes]:
        """List the paths of the image's regular files with this content."""
        ...


_NO_INDEX = "there is no index of the image"


class _Relation(msgspec.Struct, frozen=True):
    content: Content
    digest: Digest | None = None
    why: str = ""
    elsewhere: Sequence[bytes] = ()


def decide(
    execution: Execution,
    *,
    root: ContainerRoot,
    image: ImageLookup | None,
    read: Read,
    volumes: Sequence[VolumeMount] = (),
) -> Verdict:
    """Judge one execution.

    ``image`` is ``None`` while there is no index. ``read`` is called at most once, and only if
    the kernel's word does not settle the matter; what it raises besides ``Unreadable`` comes
    through.
    """
    file = execution.file
    held = image.at(file.fs_path) if image is not None and is_lower(file, root) else None
    if held is not None and file.nlink and held.sha256 and held.size == file.size:
        return _untouched(execution, held)
    location = locate(file, root, volumes)
    relation = _relate(file, root, location, image=image, read=read)
    digest = relation.digest
    return Verdict(
        subject=execution.subject,
        origin=location.origin,
        content=relation.content,
        drift=_drift(file, root, location, relation=relation, is_indexed=image is not None),
        reason=explain(execution, location, relation.content, why=relation.why, elsewhere=relation.elsewhere),
        path=location.path,
        volume=location.volume,
        sha256=digest.sha256 if digest else "",
        size=digest.size if digest else file.size,
    )


def _untouched(execution: Execution, held: ImageFile) -> Verdict:
    return Verdict(
        subject=execution.subject,
        origin=Origin.IMAGE,
        content=Content.IDENTICAL,
        drift=Drift.NO,
        reason=explain_untouched(execution),
        path=execution.file.path,
        sha256=held.sha256,
        size=held.size,
    )


def _relate(
    file: FileFacts, root: ContainerRoot, location: FileLocation, *, image: ImageLookup | None, read: Read
) -> _Relation:
    held = image.at(location.image_path) if image is not None and location.image_path else None
    if is_lower(file, root):
        if image is None:
            return _Relation(Content.UNVERIFIED, why=_NO_INDEX)
        if held and held.sha256 and held.size == file.size:
            return _Relation(Content.IDENTICAL, Digest(held.sha256, held.size))
    try:
        digest = read()
    except Unreadable as error:
        return _Relation(Content.UNVERIFIED, why=str(error))
    if image is None:
        return _Relation(Content.UNVERIFIED, digest, why=_NO_INDEX)
    return _compare(file, location, held, digest=digest, image=image)


def _compare(
    file: FileFacts, location: FileLocation, held: ImageFile | None, *, digest: Digest, image: ImageLookup
) -> _Relation:
    why = "it was changed after it ran, before it was read" if digest.changed else ""
    if location.in_image_tree and held and held.sha256 == digest.sha256:
        return _Relation(Content.UNVERIFIED if digest.changed else Content.IDENTICAL, digest, why)
    elsewhere = image.paths_of(digest.sha256)
    if elsewhere and location.in_image_tree and file.truncated:
        return _Relation(Content.UNVERIFIED, digest, "the image has its bytes, but its path is too long to compare")
    if elsewhere:
        return _Relation(Content.RELOCATED, digest, why, elsewhere)
    return _Relation(Content.MODIFIED if held else Content.ADDED, digest, why)


def _drift(
    file: FileFacts, root: ContainerRoot, location: FileLocation, *, relation: _Relation, is_indexed: bool
) -> Drift:
    if relation.content == Content.IDENTICAL:
        return Drift.NO
    if relation.content != Content.UNVERIFIED or not location.in_image_tree:
        return Drift.YES  # what lies outside the image's tree is not the image's, whatever its bytes
    if is_lower(file, root):
        return Drift.UNKNOWN if is_indexed and not file.truncated else Drift.NO
    return Drift.YES if _is_new(file) else Drift.UNKNOWN


# No layer holds it, and nothing was copied up to make it.
def _is_new(file: FileFacts) -> bool:
    return file.upper and not file.lowers
