"""Differences between two images, path by path."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator

import msgspec

from driftline.image.entry import Entry

__all__ = ["Aspect", "Change", "diff"]


class Aspect(enum.StrEnum):
    """Property of a path that differs between two images."""

    ADDED = "added"
    REMOVED = "removed"
    KIND = "kind"
    CONTENT = "content"
    MODE = "mode"
    OWNER = "owner"
    CAPABILITIES = "capabilities"

    def __bool__(self) -> bool:
        raise TypeError("compare an Aspect with a member; its truth value means nothing")


class Change(msgspec.Struct, frozen=True):
    """One difference at one path.

    A path that differs in several aspects gives several changes.
    """

    path: bytes
    """Absolute path, as in ``Entry.path``."""
    aspect: Aspect
    """Property that differs."""
    before: Entry | None
    """Entry of the first image; ``None`` if the path was added."""
    after: Entry | None
    """Entry of the second image; ``None`` if the path was removed."""


def diff(before: Iterable[Entry], after: Iterable[Entry]) -> Iterator[Change]:
    """Compare two images and yield the changes in path order.

    ``before`` and ``after`` are the entries in the byte order of their paths, as iterating an
    ``ImageIndex`` yields them; an unsorted input gives wrong results. A path whose kind differs
    gives that one change. Otherwise content (a symlink's target, a device's number), mode, owner and
    capabilities are compared separately. The layer number is ignored, because rebuilding an image with
    another layer split does not change what a container sees.
    """
    lefts, rights = iter(before), iter(after)
    left, right = next(lefts, None), next(rights, None)
    # A merge join of two sorted streams: constant memory, whatever the size of the images.
    while left or right:
        if right is None or (left and left.path < right.path):
            assert left
            yield Change(left.path, Aspect.REMOVED, left, None)
            left = next(lefts, None)
        elif left is None or right.path < left.path:
            yield Change(right.path, Aspect.ADDED, None, right)
            right = next(rights, None)
        else:
            for aspect in _aspects(left, right):
                yield Change(left.path, aspect, left, right)
            left, right = next(lefts, None), next(rights, None)


def _aspects(left: Entry, right: Entry) -> Iterator[Aspect]:
    if left.kind != right.kind:
        # Content and mode of different kinds cannot be compared; further changes would be noise.
        yield Aspect.KIND
        return
    if (left.sha256, left.target, left.device) != (right.sha256, right.target, right.device):
        yield Aspect.CONTENT
    if left.mode != right.mode:
        yield Aspect.MODE
    if (left.uid, left.gid) != (right.uid, right.gid):
        yield Aspect.OWNER
    if left.capabilities != right.capabilities:
        yield Aspect.CAPABILITIES
