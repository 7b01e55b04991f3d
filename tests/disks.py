"""Small disks: file systems of tmpfs, which tests fill."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")


@dataclass(frozen=True)
class Disk:
    """A mounted file system."""

    path: Path

    def free(self) -> int:
        return shutil.disk_usage(self.path).free

    def fill(self, *, leave: int = 0) -> None:
        """Fill the disk but for some bytes."""
        with (self.path / "ballast").open("ab") as ballast:
            os.posix_fallocate(ballast.fileno(), ballast.tell(), max(1, self.free() - leave))

    def empty(self) -> None:
        """Remove what ``fill`` wrote."""
        (self.path / "ballast").unlink()


@contextlib.contextmanager
def small_disk(path: Path, mebibytes: int) -> Iterator[Disk]:
    """Mount an empty disk of a size at a directory."""
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", path), check=True)
    try:
        yield Disk(path)
    finally:
        subprocess.run(("umount", "--lazy", path), check=True)
