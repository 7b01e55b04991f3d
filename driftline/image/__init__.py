"""Image content index: what every path of an image holds, by digest.

An index is built once from an image's layers (``ImageCache.build``) and then read in place.
Layers come from an unpacked snapshot (``LowerDirs``), from containerd's content store
(``Blobs``), or from an OCI layout or image archive (``open_image``).
"""

from driftline.image.blobs import Blob, LayerBlob
from driftline.image.build import Blobs, Layers, LowerDirs, build_index
from driftline.image.cache import ImageCache
from driftline.image.changes import Aspect, Change, diff
from driftline.image.entry import Entry, Kind
from driftline.image.index import ImageIndex, is_index, open_index
from driftline.image.limits import Limits
from driftline.image.sources import ImageSource, open_image

__all__ = [
    "Aspect",
    "Blob",
    "Blobs",
    "Change",
    "Entry",
    "ImageCache",
    "ImageIndex",
    "ImageSource",
    "Kind",
    "LayerBlob",
    "Layers",
    "Limits",
    "LowerDirs",
    "build_index",
    "diff",
    "is_index",
    "open_image",
    "open_index",
]
