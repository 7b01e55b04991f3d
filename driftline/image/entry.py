"""What an image holds at one path."""

from __future__ import annotations

import enum

import msgspec

__all__ = ["Entry", "Kind"]


class Kind(enum.StrEnum):
    """The type of a file, as ``st_mode`` has it. A hard link is the file it links to."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    CHARACTER_DEVICE = "character-device"
    BLOCK_DEVICE = "block-device"
    FIFO = "fifo"
    SOCKET = "socket"

    def __bool__(self) -> bool:
        raise TypeError("compare a Kind with a member; its truth value means nothing")


class Entry(msgspec.Struct, frozen=True):
    """One path of an image, after all layers were merged."""

    path: bytes
    """Absolute, without ``.``, ``..`` and trailing slash; the root is ``/``."""
    kind: Kind
    size: int
    """Bytes of a regular file (holes included), else 0."""
    mode: int
    """Permission bits, with set-user-id, set-group-id and sticky: ``st_mode & 0o7777``."""
    uid: int
    gid: int
    sha256: str
    """Lower-case hex digest of a regular file's content, else ""."""
    target: bytes
    """Where a symlink points, verbatim, else b""."""
    layer: int
    """Number of the layer that gave the entry its present form, counted from 0 at the bottom."""
    device: int = 0
    """``st_rdev`` of a device, as ``os.makedev`` gives it, else 0."""
