"""The BPF file system (bpffs). A program that is pinned there outlives the process that loaded it."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from driftline.errors import UnsupportedHost

__all__ = ["make_folder"]

_ROOT = Path("/sys/fs/bpf")
_LIBC = ctypes.CDLL(None, use_errno=True)  # for mount(2), which Python does not have


def make_folder(folder: Path) -> None:
    """Make a directory (mode 0700) below /sys/fs/bpf, with its parents.

    Mounts the file system first if it is not mounted, as on nodes without systemd. Raises ``UnsupportedHost`` if
    the kernel refuses either.
    """
    if not _is_mounted() and _LIBC.mount(b"bpf", os.fsencode(_ROOT), b"bpf", 0, None):
        raise UnsupportedHost(f"cannot mount the BPF file system at {_ROOT}: {os.strerror(ctypes.get_errno())}")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UnsupportedHost(f"cannot make {folder}: {error.strerror}") from error


def _is_mounted() -> bool:
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    return any(line.split()[1:3] == [str(_ROOT), "bpf"] for line in mounts)
