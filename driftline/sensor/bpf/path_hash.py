"""Hashes of paths, equal to those that ``bpf/lib/block.h`` computes in the kernel.

A component is hashed by FNV-1a with 64 bits (draft-eastlake-fnv), and the components are combined from the root
down, so that the kernel side gets the hash of every parent directory on the way. The seed is a secret of this run:
a container cannot construct a path whose hash equals that of a file of its image.
"""

from __future__ import annotations

from functools import lru_cache

__all__ = ["MAX_COMPONENTS", "MAX_PATH_BYTES", "hash_name", "hash_path", "is_hashable"]

MAX_PATH_BYTES = 1024
"""Bytes of a path that the kernel side hashes, one NUL for each component included."""
MAX_COMPONENTS = 32
"""Components of a path that the kernel side hashes."""

_OFFSET, _PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, (1 << 64) - 1


def hash_path(path: bytes, seed: int) -> int:
    """Return the 64-bit hash of an absolute path."""
    value = seed
    for component in path.split(b"/")[1:]:
        value = (value ^ _hash_component(component)) * _PRIME & _MASK
    return value


def hash_name(name: bytes, seed: int) -> int:
    """Return the 64-bit hash of a file name without its directory."""
    return (seed ^ _hash_component(name)) * _PRIME & _MASK


def is_hashable(path: bytes) -> bool:
    """Return whether a path is within the limits of the kernel side, so that both sides get the same hash."""
    return len(path) <= MAX_PATH_BYTES and path.count(b"/") <= MAX_COMPONENTS


# Cached: the paths of an image share most of their directories.
@lru_cache(maxsize=8192)
def _hash_component(component: bytes) -> int:
    value = _OFFSET
    for byte in component:
        value = (value ^ byte) * _PRIME & _MASK
    return value
