"""The node's containers: what the runtime says of them, and what their cgroups say.

The only importer of gRPC and CRI. ``parse_cgroup`` is pure; ``Runtime`` speaks to containerd or
CRI-O, with a deadline on every call.
"""

from driftline.cluster._cgroup import CgroupContainer, parse_cgroup
from driftline.cluster._layers import Blob, ImageLayers
from driftline.cluster._mountinfo import parse_mountinfo, read_mountinfo
from driftline.cluster._overlay import OverlayDirs, overlay_dirs, read_overlay
from driftline.cluster._watch import Change, ChangeKind, Watch
from driftline.cluster.runtime import Runtime, image_layers

__all__ = [
    "Blob",
    "CgroupContainer",
    "Change",
    "ChangeKind",
    "ImageLayers",
    "OverlayDirs",
    "Runtime",
    "Watch",
    "image_layers",
    "overlay_dirs",
    "parse_cgroup",
    "parse_mountinfo",
    "read_mountinfo",
    "read_overlay",
]
