"""Image content index: every path of a container image, keyed by the image's digest.

An index is built once from an image's layers (``ImageCache.build``) and then read in place
(``ImageIndex``). Three kinds of layers can be read: directories that a snapshotter unpacked
(``LowerDirs``), archives in containerd's content store (``Blobs``), and an OCI image layout or
``docker save`` archive on disk (``open_image``).

The package reads untrusted bytes. ``Limits`` bounds the memory and time that one image may use;
a malformed image raises ``CorruptImage``, never another exception.
"""

from driftline.image.blobs import Blob, LayerBlob
from driftline.image.build import Blobs, Layers, LowerDirs, build_index
from driftline.image.cache import ImageCache
from driftline.image.capabilities import capabilities_text, valid_capabilities
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
    "capabilities_text",
    "diff",
    "is_index",
    "open_image",
    "open_index",
    "valid_capabilities",
]
