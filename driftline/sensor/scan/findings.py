"""What a scan finds: how one path of a container differs from its image."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator

import msgspec

from driftline.events import Content
from driftline.image import Entry, Kind

__all__ = ["Change", "Finding", "compare", "executables_first"]

_HELD_BACK = 100_000


class Change(enum.StrEnum):
    """One way in which a path differs."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"
    KIND = "kind"
    MODE = "mode"
    OWNER = "owner"
    UNVERIFIED = "unverified"

    def __bool__(self) -> bool:
        raise TypeError("compare a Change with a member; its truth value means nothing")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A path that is not as the image has it, or that could not be compared."""

    path: bytes
    changes: tuple[Change, ...]
    before: Entry | None = None
    """What the image has there."""
    after: Entry | None = None
    """What is there now; its ``layer`` is -1, its ``sha256`` empty if the content was not read."""
    content: Content | None = None
    """How the bytes of a file whose content is new there relate to the image."""
    is_executable: bool = False
    """Whether it may run: an execute bit, an ELF header, a ``#!`` line; or, if deleted, did so."""
    note: str = ""
    """More in words: where the image has the same bytes, why it is unverified."""


def compare(before: Entry | None, after: Entry) -> tuple[Change, ...]:
    """List how a path changed; nothing if it is as the image has it."""
    if before is None:
        return (Change.ADDED,)
    if before.kind != after.kind:
        return (Change.KIND,)
    found = []
    if after.kind is Kind.FILE and not after.sha256:
        found.append(Change.UNVERIFIED)
    elif (before.sha256, before.target, before.device) != (after.sha256, after.target, after.device):
        found.append(Change.MODIFIED)
    # Linux gives all symlinks the mode 0777, and their owners decide nothing.
    if before.kind is not Kind.SYMLINK and before.mode != after.mode:
        found.append(Change.MODE)
    if before.kind is not Kind.SYMLINK and (before.uid, before.gid) != (after.uid, after.gid):
        found.append(Change.OWNER)
    return tuple(found)


def executables_first(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Give what may run at once and hold the rest back to the end, as far as memory is to be spent on it."""
    held: list[Finding] = []
    for finding in findings:
        if finding.is_executable or len(held) >= _HELD_BACK:
            yield finding
        else:
            held.append(finding)
    yield from held
