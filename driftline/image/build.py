"""From an image's layers to its index."""

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
    """Layers that a snapshotter unpacked: paths of directories, topmost first as in ``lowerdir=``."""

    paths: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Blobs:
    """Layers as archives, bottom first as in a manifest."""

    blobs: Sequence[blob_reader.LayerBlob]


Layers = LowerDirs | Blobs


def encode_index(digest: str, layers: Layers, *, limits: Limits | None = None) -> bytes:
    """Read all layers and give the bytes of the index of the image ``digest``.

    Raises ``CorruptImage`` for layers that are malformed or exceed ``limits``, ``ImageError``
    for what cannot be read.
    """
    budget = Budget(limits or Limits())
    return layout.encode(digest, _checked(_read(layers, budget), budget))


def build_index(digest: str, layers: Layers, path: Path, *, limits: Limits | None = None) -> None:
    """Write the index of the image ``digest`` to ``path``, whole or not at all."""
    layout.write(encode_index(digest, layers, limits=limits), path)


def _read(layers: Layers, budget: Budget) -> tree.Directory:
    if isinstance(layers, LowerDirs):
        return directory_reader.read_lowerdirs(layers.paths, budget)
    return blob_reader.read_blobs(layers.blobs, budget)


def _checked(root: tree.Directory, budget: Budget) -> list[tuple[bytes, tree.Node]]:
    # Symlinked parents can make a path longer than the layer that holds it says.
    entries, total = [], 0
    for path, node in tree.walk(root):
        budget.check_path(path)
        total += len(path)
        budget.check_path_bytes(total)
        entries.append((path, node))
    return entries
