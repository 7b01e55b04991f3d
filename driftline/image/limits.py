"""How much an image may ask of us before it counts as a bomb."""

from __future__ import annotations

from dataclasses import dataclass

from driftline import errors

__all__ = ["Budget", "Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on one image, all layers together. Past one of them the image is ``CorruptImage``."""

    entries: int = 1_000_000
    """Files, directories, whiteouts, also those a later layer hides."""
    bytes: int = 64 << 30
    """Uncompressed bytes, holes of sparse files included."""
    ratio: int = 200
    """Uncompressed to compressed, looked at once a layer has given ``ratio_floor`` bytes."""
    ratio_floor: int = 1 << 30
    path: int = 4096
    """Bytes of one path: Linux' PATH_MAX."""
    path_bytes: int = 256 << 20
    """All paths and symlink targets together, in bytes: what the build holds in memory."""
    depth: int = 256
    """Nested directories."""
    layers: int = 500
    """OVL_MAX_STACK of the kernel's overlayfs."""


class Budget:
    """What one image has used of its limits."""

    __slots__ = ("_bytes", "_entries", "_path_bytes", "limits")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._entries = self._path_bytes = self._bytes = 0

    def spend_entry(self, path_bytes: int) -> None:
        """Count one entry whose names and targets take ``path_bytes``."""
        self._entries += 1
        self._path_bytes += path_bytes
        if self._entries > self.limits.entries:
            raise errors.CorruptImage(f"more than {self.limits.entries} entries")
        self.check_path_bytes(self._path_bytes)

    def check_path_bytes(self, total: int) -> None:
        """Refuse an image whose paths do not fit into memory."""
        if total > self.limits.path_bytes:
            raise errors.CorruptImage(f"more than {self.limits.path_bytes} bytes of paths")

    def spend_bytes(self, count: int) -> None:
        """Count bytes that have to be read or hashed."""
        self._bytes += count
        if self._bytes > self.limits.bytes:
            raise errors.CorruptImage(f"more than {self.limits.bytes} bytes uncompressed")

    def check_path(self, path: bytes) -> None:
        """Refuse a path that no Linux file system call takes."""
        if len(path) > self.limits.path:
            raise errors.CorruptImage(f"a path of {len(path)} bytes (at most {self.limits.path}): {path[:60]!r}…")

    def check_depth(self, depth: int) -> None:
        """Refuse a directory nested too deeply."""
        if depth > self.limits.depth:
            raise errors.CorruptImage(f"directories nested more than {self.limits.depth} deep")

    def check_ratio(self, compressed: int, uncompressed: int) -> None:
        """Refuse a layer that grows like a decompression bomb."""
        if uncompressed > self.limits.ratio_floor and uncompressed > compressed * self.limits.ratio:
            raise errors.CorruptImage(
                f"{compressed} compressed bytes give {uncompressed} or more (over {self.limits.ratio} to 1)"
            )
