"""The hashes by which the kernel side knows paths, as ``bpf/lib/block.h`` makes them.

A component by FNV-1a, the components joined from the root down. The seed is a secret of this
run, so that no container can name a file to collide with one of its image.
"""

from __future__ import annotations

from functools import lru_cache

__all__ = ["LONGEST_PATH", "MOST_COMPONENTS", "hash_name", "hash_path", "is_hashable"]

LONGEST_PATH = 1024
"""Bytes, with a NUL for each component: what the kernel side follows."""
MOST_COMPONENTS = 32

_OFFSET, _PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, (1 << 64) - 1


def hash_path(path: bytes, seed: int) -> int:
    """Hash an absolute path."""
    value = seed
    for component in path.split(b"/")[1:]:
        value = (value ^ _hash_component(component)) * _PRIME & _MASK
    return value


def hash_name(name: bytes, seed: int) -> int:
    """Hash a file's name alone."""
    return (seed ^ _hash_component(name)) * _PRIME & _MASK


def is_hashable(path: bytes) -> bool:
    """Tell whether the kernel side can hash a path whole."""
    return len(path) <= LONGEST_PATH and path.count(b"/") <= MOST_COMPONENTS


@lru_cache(maxsize=8192)
def _hash_component(component: bytes) -> int:
    value = _OFFSET
    for byte in component:
        value = (value ^ byte) * _PRIME & _MASK
    return value
