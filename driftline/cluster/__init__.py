"""Containers of the node, from the container runtime and from cgroup paths.

The only importer of gRPC and CRI. ``parse_cgroup`` and ``parse_mountinfo`` do no I/O; ``Runtime``
calls containerd or CRI-O, with a deadline on every call.
"""

from driftline.cluster._cgroup import CTR_NAMESPACES, CgroupContainer, parse_cgroup
from driftline.cluster._layers import Blob, ImageLayers
from driftline.cluster._mountinfo import has_bundle, parse_mountinfo, read_mountinfo
from driftline.cluster._overlay import OverlayDirs, overlay_dirs, read_overlay
from driftline.cluster._watch import Change, ChangeKind, Watch
from driftline.cluster.runtime import Runtime, image_layers

__all__ = [
    "CTR_NAMESPACES",
    "Blob",
    "CgroupContainer",
    "Change",
    "ChangeKind",
    "ImageLayers",
    "OverlayDirs",
    "Runtime",
    "Watch",
    "has_bundle",
    "image_layers",
    "overlay_dirs",
    "parse_cgroup",
    "parse_mountinfo",
    "read_mountinfo",
    "read_overlay",
]
