"""The directories an overlay file system is made of, from its mount options; no I/O but ``/proc``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from driftline.cluster._mountinfo import read_mountinfo, unescape
from driftline.errors import Unreadable
from driftline.verdict import Mount

__all__ = ["OverlayDirs", "overlay_dirs", "parse_options", "read_overlay"]

_COLONS = re.compile(r"(?<!\\):+")


@dataclass(frozen=True, slots=True)
class OverlayDirs:
    """Paths on the node: the writable layer, and the layers below it, topmost first."""

    upperdir: str = ""
    lowerdirs: tuple[str, ...] = ()


def parse_options(options: Iterable[str]) -> OverlayDirs:
    """Take the directories from options such as ``lowerdir=/a:/b`` or, one a layer, ``lowerdir+=/a``."""
    upper, lowers = "", list[str]()
    for option in options:
        key, _, value = option.partition("=")
        if key == "upperdir":
            upper = _plain(value)
        elif key == "lowerdir":
            lowers += map(_plain, _COLONS.split(value))
        elif key == "lowerdir+":  # since v6.8
            lowers.append(_plain(value))
    return OverlayDirs(upper, tuple(_absolute(lower, upper) for lower in lowers if lower))


def overlay_dirs(mount: Mount) -> OverlayDirs:
    """Take the directories of a line of mountinfo; empty if it is no overlay."""
    if mount.fs_type != "overlay":
        return OverlayDirs()
    return parse_options(os.fsdecode(unescape(option)) for option in os.fsencode(mount.options).split(b","))


def read_overlay(pid: int) -> OverlayDirs:
    """Read the directories of a process's root; empty if it is gone or its root is no overlay."""
    try:
        mounts = read_mountinfo(pid)
    except Unreadable:
        return OverlayDirs()
    return next((overlay_dirs(mount) for mount in reversed(mounts) if mount.path == b"/"), OverlayDirs())


# Colons and backslashes within a name are escaped (Documentation/filesystems/overlayfs.rst).
def _plain(value: str) -> str:
    return re.sub(r"\\([:\\])", r"\1", value)


# Mount options must fit into a page, so for images of many layers containerd and CRI-O mount from
# within the directory their layers share and name them from there ("47/fs:46/fs", "l/ABCD").
# In both, the writable layer lies two levels below that directory.
def _absolute(lower: str, upper: str) -> str:
    if lower.startswith("/") or not upper:
        return lower
    return os.path.normpath(Path(upper).parent.parent / lower)
