"""Upper bounds on the resources that reading one untrusted image may use."""

from __future__ import annotations

from dataclasses import dataclass

from driftline import errors

__all__ = ["Budget", "Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on one image, all layers together. An image beyond a bound raises ``CorruptImage``.

    The defaults are far above any image in common use, and low enough that a hostile image cannot
    exhaust the memory or the disk of a node.
    """

    entries: int = 1_000_000
    """Files, directories and whiteouts, including entries that a later layer hides."""
    bytes: int = 64 << 30
    """Uncompressed bytes, holes of sparse files included."""
    ratio: int = 200
    """Uncompressed bytes for each compressed byte, checked once a layer exceeds ``ratio_floor``."""
    ratio_floor: int = 1 << 30
    """Uncompressed bytes of a layer below which its compression ratio is not checked."""
    path: int = 4096
    """Bytes of one path: PATH_MAX of Linux (include/uapi/linux/limits.h)."""
    path_bytes: int = 256 << 20
    """Total bytes of all paths and symlink targets, which the build holds in memory."""
    depth: int = 256
    """Nesting depth of directories."""
    layers: int = 500
    """Number of layers: OVL_MAX_STACK of the kernel's overlayfs."""


class Budget:
    """Resources that one image has used so far, checked against its ``Limits``.

    One budget serves all layers of an image. Every method raises ``CorruptImage`` when the
    image exceeds a bound.
    """

    __slots__ = ("_bytes", "_entries", "_path_bytes", "limits")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._entries = self._path_bytes = self._bytes = 0

    def spend_entry(self, path_bytes: int) -> None:
        """Count one entry whose path and symlink target take ``path_bytes`` bytes."""
        self._entries += 1
        self._path_bytes += path_bytes
        if self._entries > self.limits.entries:
            raise errors.CorruptImage(f"more than {self.limits.entries} entries")
        self.check_path_bytes(self._path_bytes)

    def check_path_bytes(self, total: int) -> None:
        """Refuse an image whose paths take more than ``path_bytes`` bytes in total."""
        if total > self.limits.path_bytes:
            raise errors.CorruptImage(f"more than {self.limits.path_bytes} bytes of paths")

    def spend_bytes(self, count: int) -> None:
        """Count uncompressed bytes that must be read or hashed, holes of sparse files included."""
        self._bytes += count
        if self._bytes > self.limits.bytes:
            raise errors.CorruptImage(f"more than {self.limits.bytes} bytes uncompressed")

    def check_path(self, path: bytes) -> None:
        """Refuse a path longer than any Linux system call accepts (PATH_MAX)."""
        if len(path) > self.limits.path:
            raise errors.CorruptImage(f"a path of {len(path)} bytes (at most {self.limits.path}): {path[:60]!r}…")

    def check_depth(self, depth: int) -> None:
        """Refuse directories nested deeper than ``depth`` levels."""
        if depth > self.limits.depth:
            raise errors.CorruptImage(f"directories nested more than {self.limits.depth} deep")

    def check_ratio(self, compressed: int, uncompressed: int) -> None:
        """Refuse a layer whose compression ratio is that of a decompression bomb.

        ``compressed`` and ``uncompressed`` are the bytes read and produced so far. Small layers are
        exempt: a legitimate file of zeros compresses a thousandfold.
        """
        # DEFLATE reaches at most 1032:1 (zlib.net, "Technical Details"), so the ratio alone would
        # also refuse a small layer of zeros.
        if uncompressed > self.limits.ratio_floor and uncompressed > compressed * self.limits.ratio:
            raise errors.CorruptImage(
                f"{compressed} compressed bytes give {uncompressed} or more (over {self.limits.ratio} to 1)"
            )
