"""The parts of a verdict (docs/explanation/verdict.md) and the actions of drift rules, as closed enumerations.

The values are the texts in events, policies and alerts.
"""

from __future__ import annotations

import enum

import msgspec

__all__ = ["Action", "BlockedBy", "Content", "Drift", "Origin", "Subject", "Verdict", "VolumeKind"]


class _ClosedEnum(enum.StrEnum):
    """Base class of the enumerations. The truth value of a member raises ``TypeError``.

    Members are non-empty texts, so every one, ``Drift.NO`` included, would be true.
    """

    def __bool__(self) -> bool:
        raise TypeError(f"compare {type(self).__name__} with a member: all members would be true")


class Subject(_ClosedEnum):
    """Kind of the executed file."""

    BINARY = "binary"
    """A program that the kernel executed."""
    SCRIPT = "script"
    """A ``#!`` file, a file given to an interpreter, or a module that a script imports."""
    LIBRARY = "library"
    """An executable file mapping."""
    LOADER = "loader"
    """A program started through the dynamic loader, ``ld.so``."""


class Origin(_ClosedEnum):
    """Location of the subject's bytes."""

    IMAGE = "image"
    """A read-only layer of the image."""
    WRITABLE_LAYER = "writable-layer"
    """The container's writable layer: the upper directory of the overlay."""
    VOLUME = "volume"
    """A volume of the pod, of a ``VolumeKind``."""
    TMPFS = "tmpfs"
    """A memory file system that is not a volume, such as /dev/shm."""
    MEMORY = "memory"
    """Memory without a path in any file system: a memfd or shared memory."""
    DELETED = "deleted"
    """A file without a name left: it was deleted before or while it ran."""
    HOST = "host"
    """A file system of the node, outside the container's mounts."""
    UNKNOWN = "unknown"
    """A file system that neither the node nor the container was started with."""


class VolumeKind(_ClosedEnum):
    """Kind of a volume, if the origin is a volume; the names are those of the pod specification."""

    EMPTY_DIR = "emptyDir"
    HOST_PATH = "hostPath"
    PVC = "PVC"
    CONFIG_MAP = "configMap"
    SECRET = "secret"  # noqa: S105 (a kind of volume)
    PROJECTED = "projected"
    OTHER = "other"


class Content(_ClosedEnum):
    """Relation of the subject's bytes to the image."""

    IDENTICAL = "identical"
    """The image has the same bytes at the same path."""
    RELOCATED = "relocated"
    """The image has the same bytes at another path."""
    MODIFIED = "modified"
    """The image has other bytes at the same path."""
    ADDED = "added"
    """The image has neither the path nor the bytes."""
    UNVERIFIED = "unverified"
    """The bytes could not be read or compared; the verdict's reason says why."""


class Drift(_ClosedEnum):
    """Whether the execution drifted from the image; ``unknown`` if neither can be proven."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Action(_ClosedEnum):
    """Action of a drift rule. ``block`` raises an alert as well."""

    IGNORE = "ignore"
    ALERT = "alert"
    BLOCK = "block"


class BlockedBy(enum.StrEnum):
    """The mechanism that blocked an execution."""

    NOTHING = ""
    """The execution was not blocked."""
    EXEC = "SIGKILL at exec"
    """The process was killed before its first instruction."""
    LSM = "LSM denial"
    """The exec failed with EPERM; the calling process continues."""
    OPEN = "SIGKILL at open"
    """The interpreter was killed before it read a byte of the script."""
    MMAP = "SIGKILL at mmap"
    """The process was killed before the first instruction of the library."""
    VERDICT = "SIGKILL after the verdict"
    """The process ran until the sensor had read the file and decided."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Verdict on one execution: whether it drifted from the image, and why."""

    subject: Subject
    """Kind of the executed file."""
    origin: Origin
    """Location of its bytes."""
    content: Content
    """Relation of its bytes to the image."""
    drift: Drift
    """Whether the execution drifted."""
    reason: str
    """The verdict in words, one or two sentences on one printable line."""
    path: bytes
    """Path in the container; bytes, because Linux paths need not be UTF-8."""
    volume: VolumeKind | None = None
    """Kind of the volume; ``None`` for other origins."""
    sha256: str = ""
    """Lower-case hexadecimal digest; empty if the file was not read."""
    size: int = -1
    """Size in bytes; -1 if unknown."""
