"""One path of an image: its kind, owner, mode and content."""

from __future__ import annotations

import enum

import msgspec

__all__ = ["Entry", "Kind"]


class Kind(enum.StrEnum):
    """Type of a file, as in the ``S_IFMT`` bits of ``st_mode`` (inode(7)).

    A hard link has no kind of its own: it is an entry with the kind and content of the linked file.
    """

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
    """One path of an image, after all layers were merged.

    Times and extended attributes but file capabilities are not recorded: no verdict depends on them.
    """

    path: bytes
    """Absolute, without ``.``, ``..`` and trailing slash; the root is ``/``."""
    kind: Kind
    """Type of the file."""
    size: int
    """Bytes of a regular file (holes included), else 0."""
    mode: int
    """Permission bits, with set-user-id, set-group-id and sticky: ``st_mode & 0o7777``."""
    uid: int
    """User id of the owner, as in the layer (no user-namespace mapping)."""
    gid: int
    """Group id of the owner, as in the layer."""
    sha256: str
    """Lower-case hexadecimal digest of a regular file's content, else ""."""
    target: bytes
    """Target of a symlink, verbatim, else b""."""
    layer: int
    """Number of the layer that last changed the entry, counted from 0 at the bottom."""
    device: int = 0
    """``st_rdev`` of a device, as ``os.makedev`` gives it, else 0."""
    capabilities: bytes = b""
    """Capabilities of a regular file: the value of its xattr ``security.capability``, b"" if it has none."""
