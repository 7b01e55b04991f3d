"""Directories of an overlay file system, from its mount options; no I/O except ``/proc``."""

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
    """Directories of one overlay mount, as paths on the node."""

    upperdir: str = ""
    """Writable layer; empty for a read-only overlay."""
    lowerdirs: tuple[str, ...] = ()
    """Layers below it, topmost first."""


def parse_options(options: Iterable[str]) -> OverlayDirs:
    """Return the directories of mount options such as ``lowerdir=/a:/b`` or repeated ``lowerdir+=/a``.

    Unknown options are ignored.
    """
    upper, lowers = "", list[str]()
    for option in options:
        key, _, value = option.partition("=")
        if key == "upperdir":
            upper = _unescape_option(value)
        elif key == "lowerdir":
            lowers += map(_unescape_option, _COLONS.split(value))
        elif key == "lowerdir+":  # one layer an option, since Linux v6.8
            lowers.append(_unescape_option(value))
    return OverlayDirs(upper, tuple(_absolute(lower, upper) for lower in lowers if lower))


def overlay_dirs(mount: Mount) -> OverlayDirs:
    """Return the directories of a mount; empty if it is not an overlay."""
    if mount.fs_type != "overlay":
        return OverlayDirs()
    return parse_options(os.fsdecode(unescape(option)) for option in os.fsencode(mount.options).split(b","))


def read_overlay(pid: int) -> OverlayDirs:
    """Return the directories of a process's root file system.

    Empty if the process has ended or its root is not an overlay.
    """
    try:
        mounts = read_mountinfo(pid)
    except Unreadable:
        return OverlayDirs()
    # The last mount on "/" covers those before it.
    return next((overlay_dirs(mount) for mount in reversed(mounts) if mount.path == b"/"), OverlayDirs())


# Colons and backslashes within a name are escaped (Documentation/filesystems/overlayfs.rst).
def _unescape_option(value: str) -> str:
    return re.sub(r"\\([:\\])", r"\1", value)


# Mount options must fit into a page. For images of many layers containerd and CRI-O therefore change
# into the parent directory of their layers and mount with relative paths ("47/fs:46/fs", "l/ABCD").
# In both, the upper directory lies two levels below that parent.
def _absolute(lower: str, upper: str) -> str:
    if lower.startswith("/") or not upper:
        return lower
    return os.path.normpath(Path(upper).parent.parent / lower)
