"""Build of an image index from the image's layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from driftline.image import blobs as blob_reader
from driftline.image import format as layout
from driftline.image import lowerdirs as directory_reader
from driftline.image import tree
from driftline.image.limits import Budget, Limits

__all__ = ["Blobs", "Layers", "LowerDirs", "build_index", "encode_index"]


@dataclass(frozen=True, slots=True)
class LowerDirs:
    """Layers that a snapshotter unpacked."""

    paths: Sequence[bytes]
    """Directories on this machine, topmost layer first as in the mount option ``lowerdir=``."""


@dataclass(frozen=True, slots=True)
class Blobs:
    """Layers as tar archives, compressed or not."""

    blobs: Sequence[blob_reader.LayerBlob]
    """Bottom layer first, as in an image manifest."""


Layers = LowerDirs | Blobs


def encode_index(digest: str, layers: Layers, *, limits: Limits | None = None) -> bytes:
    """Read all layers and return the bytes of the index of the image ``digest``.

    ``digest`` is recorded, not verified: the layers' own digests are. ``limits`` defaults to
    ``Limits()``. Raises ``CorruptImage`` for layers that are malformed or exceed ``limits``,
    ``ImageError`` for layers that cannot be read.
    """
    budget = Budget(limits or Limits())
    return layout.encode(digest, _checked(_read(layers, budget), budget))


def build_index(digest: str, layers: Layers, path: Path, *, limits: Limits | None = None) -> None:
    """Write the index of the image ``digest`` to ``path``, atomically.

    Raises as ``encode_index`` does, and ``ImageError`` if the file cannot be written.
    """
    layout.write(encode_index(digest, layers, limits=limits), path)


def _read(layers: Layers, budget: Budget) -> tree.Directory:
    if isinstance(layers, LowerDirs):
        return directory_reader.read_lowerdirs(layers.paths, budget)
    return blob_reader.read_blobs(layers.blobs, budget)


def _checked(root: tree.Directory, budget: Budget) -> list[tuple[bytes, tree.Node]]:
    # Paths are checked again after the merge: a member "a/b" of a layer whose "a" is a symlink to
    # a deep directory gets a longer path than its header has.
    entries, total = [], 0
    for path, node in tree.walk(root):
        budget.check_path(path)
        total += len(path)
        budget.check_path_bytes(total)
        entries.append((path, node))
    return entries
