"""The words of drift (DESIGN.md, section 2): what ran, where its bytes lie, how they relate to the image."""

from __future__ import annotations

import enum

import msgspec

__all__ = ["Action", "BlockedBy", "Content", "Drift", "Origin", "Subject", "Verdict", "VolumeKind"]


class _Word(enum.StrEnum):
    """A closed set of words. Its truth value raises, since every member would be true."""

    def __bool__(self) -> bool:
        raise TypeError(f"compare {type(self).__name__} with a member; its truth value means nothing")


class Subject(_Word):
    """What was run."""

    BINARY = "binary"
    SCRIPT = "script"
    LIBRARY = "library"
    LOADER = "loader"


class Origin(_Word):
    """Where the bytes of the subject lie."""

    IMAGE = "image"
    WRITABLE_LAYER = "writable-layer"
    VOLUME = "volume"
    TMPFS = "tmpfs"
    MEMORY = "memory"
    DELETED = "deleted"
    HOST = "host"
    UNKNOWN = "unknown"


class VolumeKind(_Word):
    """The kind of volume, when the origin is a volume."""

    EMPTY_DIR = "emptyDir"
    HOST_PATH = "hostPath"
    PVC = "PVC"
    CONFIG_MAP = "configMap"
    SECRET = "secret"  # noqa: S105 (a kind of volume)
    PROJECTED = "projected"
    OTHER = "other"


class Content(_Word):
    """How the bytes relate to the image."""

    IDENTICAL = "identical"
    RELOCATED = "relocated"
    MODIFIED = "modified"
    ADDED = "added"
    UNVERIFIED = "unverified"


class Drift(_Word):
    """Whether running it is drift."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Action(_Word):
    """What a drift rule does."""

    IGNORE = "ignore"
    ALERT = "alert"
    BLOCK = "block"


class BlockedBy(enum.StrEnum):
    """What stopped a process; empty for nothing."""

    NOTHING = ""
    EXEC = "SIGKILL at exec"
    """Before its first instruction."""
    LSM = "LSM denial"
    """The exec failed with EPERM; the process that tried lives on."""
    OPEN = "SIGKILL at open"
    """Before the interpreter had read a byte of its script."""
    MMAP = "SIGKILL at mmap"
    """Before the first instruction of the library."""
    VERDICT = "SIGKILL after the verdict"
    """It ran until then."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Say whether one execution drifted from its image, and why.

    ``path`` is where the subject lies in its container (bytes, for Linux paths need not be
    text), ``sha256`` its lower-case hex digest or "" if it was not read, ``size`` its bytes or
    -1, ``reason`` one or two sentences for people.
    """

    subject: Subject
    origin: Origin
    content: Content
    drift: Drift
    reason: str
    path: bytes
    volume: VolumeKind | None = None
    sha256: str = ""
    size: int = -1
