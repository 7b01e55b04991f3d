"""The space left on the server's disks.

There are two marks. Below the upper one an alert is raised, and hunts and ingest go on. Below the lower one, an eighth
of it, batches of sensors are refused and stay in the sensors' spools: the rest is for the state, for the store's own
work, and for the alert itself. On a small disk the upper mark is a tenth of the disk.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

__all__ = ["Space"]

_LOWER = 8
_OF_DISK = 10


class Space:
    """The space on the disks of some directories. Any thread may use it."""

    def __init__(self, directories: Sequence[Path], *, low: int) -> None:
        """``low`` is the upper mark in bytes; 0 for no marks."""
        self._directories = directories
        self._low = low

    def refusal(self, needed: int = 0) -> str:
        """Return why no rows of sensors that need so many bytes are taken now; "" if they are."""
        return self._first_below(_LOWER, needed)

    def warning(self) -> str:
        """Return the disk that is below the upper mark, and how much is left; "" if none is."""
        return self._first_below(1)

    def free(self, directory: Path) -> int:
        """Return the bytes that are left on the disk of a directory; 0 if it is not known."""
        return self._measured().get(directory, (0, 0))[0]

    def _first_below(self, part: int, needed: int = 0) -> str:
        for path, (free, size) in self._measured().items():
            mark = min(self._low, size // _OF_DISK) // part
            if mark and free < mark + needed:
                return f"{path}: {free >> 10} KiB are left on the disk, expected at least {(mark + needed) >> 10}"
        return ""

    def _measured(self) -> dict[Path, tuple[int, int]]:
        return {path: found for path in self._directories if (found := _measure(path))}


# The bytes that an unprivileged process may still write, and the size of the disk (statvfs(3)). The directory may be
# made later: its nearest parent that exists counts.
def _measure(path: Path) -> tuple[int, int] | None:
    for each in (path, *path.absolute().parents):
        try:
            found = os.statvfs(each)
        except FileNotFoundError:
            continue
        except OSError:
            return None
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    return None
