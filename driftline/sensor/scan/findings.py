"""Findings of a scan: differences between one path of a container and of its image."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator

import msgspec

from driftline.events import Content
from driftline.image import Entry, Kind

__all__ = ["Change", "Finding", "Times", "compare", "running_first"]

_HELD_BACK = 100_000
"""Findings held in memory to put what runs, and executables, before them."""


class Change(enum.StrEnum):
    """One way in which a path differs."""

    ADDED = "added"
    """The image does not have the path."""
    MODIFIED = "modified"
    """Other content, symlink target or device number."""
    DELETED = "deleted"
    """The container does not have the path any more."""
    KIND = "kind"
    """Another kind of file, such as a directory in place of a file."""
    MODE = "mode"
    """Other permission bits."""
    OWNER = "owner"
    """Another user or group."""
    CAPABILITIES = "capabilities"
    """Other file capabilities (capabilities(7))."""
    UNVERIFIED = "unverified"
    """The content could not be compared."""

    def __bool__(self) -> bool:
        raise TypeError("compare a Change with a member; its truth value means nothing")


class Times(msgspec.Struct, frozen=True):
    """Times of a file on the node: nanoseconds since 1970, UTC; 0 if unknown (inode(7))."""

    mtime_ns: int
    """Last change of the content, which the owner of the file can set to any time."""
    ctime_ns: int
    """Last change of content or attributes, which no system call can set."""
    birth_ns: int = 0
    """Creation in the place that was scanned; of a file that was copied up, the time of the copy."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A path that differs from the image, or could not be compared."""

    path: bytes
    """Absolute path in the container."""
    changes: tuple[Change, ...]
    """All differences of the path."""
    before: Entry | None = None
    """Entry of the image; ``None`` if it does not have the path."""
    after: Entry | None = None
    """Present state, with ``layer`` -1, and an empty ``sha256`` if the content was not read.

    ``None`` if deleted, unless the file was never the image's and still runs.
    """
    content: Content | None = None
    """Relation of a file's content to the image, if the content is new at this path."""
    is_executable: bool = False
    """Whether it can run: it has an execute bit, an ELF header or a ``#!`` line; a deleted one had an execute bit.

    So has a symlink that replaces something of the image, or that leads to a program of the image.
    """
    times: Times | None = None
    """Times of the present file; ``None`` if it is deleted, or in a renamed directory of the image."""
    pids: tuple[int, ...] = ()
    """Processes that run the file now, ascending, as the node counts them: the present one, or the one deleted."""
    is_derived: bool = False
    """Whether it is bytecode that Python derived from an unchanged source of the image, or a directory of it alone."""
    note: str = ""
    """Details: path of the same content in the image, targets of a symlink, or the reason why it is unverified."""


# The caller compares the content relation (relocated or not); here only path against path.
def compare(before: Entry | None, after: Entry) -> tuple[Change, ...]:
    """Return the differences of a path that exists; none if it is as in the image (``before``)."""
    if before is None:
        return (Change.ADDED,)
    if before.kind != after.kind:
        return (Change.KIND,)
    # An unread content is unverified, never unchanged; attributes are compared all the same.
    found = []
    if after.kind is Kind.FILE and not after.sha256:
        found.append(Change.UNVERIFIED)
    elif (before.sha256, before.target, before.device) != (after.sha256, after.target, after.device):
        found.append(Change.MODIFIED)
    # Linux gives every symlink the mode 0777, and does not use it (symlink(7)).
    if before.kind is not Kind.SYMLINK and before.mode != after.mode:
        found.append(Change.MODE)
    if before.kind is not Kind.SYMLINK and (before.uid, before.gid) != (after.uid, after.gid):
        found.append(Change.OWNER)
    if before.capabilities != after.capabilities:
        found.append(Change.CAPABILITIES)
    return tuple(found)


def running_first(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield what runs at once, then the other executables, the other findings, and at the end derived bytecode.

    At most ``_HELD_BACK`` findings are held; further ones are yielded in order.
    """
    held: tuple[list[Finding], list[Finding], list[Finding]] = [], [], []
    for finding in findings:
        if finding.pids or sum(map(len, held)) >= _HELD_BACK:
            yield finding
        else:
            held[2 if finding.is_derived else not finding.is_executable].append(finding)
    for group in held:
        yield from group
