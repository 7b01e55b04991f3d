"""The directories an overlay file system is made of, from its mount options; no I/O but ``/proc``."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["OverlayDirs", "parse_mountinfo", "parse_options", "read_overlay"]


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
            upper = value
        elif key in {"lowerdir", "lowerdir+"}:
            # A colon within a name is escaped (Documentation/filesystems/overlayfs.rst).
            lowers += [part.replace("\\:", ":") for part in re.split(r"(?<!\\):+", value)]
    return OverlayDirs(upper, tuple(_absolute(lower, upper) for lower in lowers if lower))


def parse_mountinfo(lines: Iterable[bytes]) -> OverlayDirs:
    """Take the directories of the overlay mounted at ``/`` from a container's mountinfo; empty if it is none."""
    for line in lines:
        fields, _, special = line.partition(b" - ")
        kind, _, options = special.split(b" ", 2)
        if fields.split(b" ")[4] == b"/" and kind == b"overlay":
            return parse_options(_unescape(option) for option in re.split(rb"(?<!\\),", options.strip()))
    return OverlayDirs()


def read_overlay(pid: int) -> OverlayDirs:
    """Read the directories of a process's root; empty if it is gone or its root is no overlay."""
    try:
        return parse_mountinfo(Path(f"/proc/{pid}/mountinfo").read_bytes().splitlines())
    except OSError:
        return OverlayDirs()


# Mount options must fit into a page, so for images of many layers containerd and CRI-O mount from
# within the directory their layers share and name them from there ("47/fs:46/fs", "l/ABCD").
# In both, the writable layer lies two levels below that directory.
def _absolute(lower: str, upper: str) -> str:
    if lower.startswith("/") or not upper:
        return lower
    return os.path.normpath(Path(upper).parent.parent / lower)


# seq_path escapes white space and backslash as octal (fs/proc_namespace.c).
def _unescape(text: bytes) -> str:
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), text))
