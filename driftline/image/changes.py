"""What differs between two images."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator

import msgspec

from driftline.image.entry import Entry

__all__ = ["Aspect", "Change", "diff"]


class Aspect(enum.StrEnum):
    """What changed at a path."""

    ADDED = "added"
    REMOVED = "removed"
    KIND = "kind"
    CONTENT = "content"
    MODE = "mode"
    OWNER = "owner"

    def __bool__(self) -> bool:
        raise TypeError("compare an Aspect with a member; its truth value means nothing")


class Change(msgspec.Struct, frozen=True):
    """One aspect of one path that differs."""

    path: bytes
    aspect: Aspect
    before: Entry | None
    after: Entry | None


def diff(before: Iterable[Entry], after: Iterable[Entry]) -> Iterator[Change]:
    """Compare two images, given as their entries in path order, and give the changes in that order.

    A path of another kind has this one change; else content (a symlink's target, a device's
    number), mode and owner count each for itself. The number of the layer does not count.
    """
    lefts, rights = iter(before), iter(after)
    left, right = next(lefts, None), next(rights, None)
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
        yield Aspect.KIND
        return
    if (left.sha256, left.target, left.device) != (right.sha256, right.target, right.device):
        yield Aspect.CONTENT
    if left.mode != right.mode:
        yield Aspect.MODE
    if (left.uid, left.gid) != (right.uid, right.gid):
        yield Aspect.OWNER
