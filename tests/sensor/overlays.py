"""Overlay mounts for tests, and the facts that the kernel side records of their files."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from driftline.verdict import FileFacts
from driftline.verdict.facts import OVERLAYFS_MAGIC


class Overlay:
    """An overlay below ``base``: layers ``lower`` (topmost first) and ``upper``, mounted at ``root``."""

    def __init__(self, base: Path, *layers: Mapping[str, bytes], options: str = "", work: Path | None = None) -> None:
        self.base = base
        self.root = base / "root"
        self.lower = [base / f"layer{number}" for number in range(len(layers))]
        self.upper, self._work = (work or base) / "upper", (work or base) / "work"
        for folder in (self.root, self.upper, self._work, *self.lower):
            folder.mkdir(parents=True, exist_ok=True)
        for folder, files in zip(self.lower, layers, strict=True):
            for name, content in files.items():
                put(folder / name, content)
        self._options = options

    def mount(self) -> None:
        lower = ":".join(folder.name for folder in self.lower)
        options = f"lowerdir={lower},upperdir={self.upper},workdir={self._work}{self._options}"
        subprocess.run(("mount", "-t", "overlay", "overlay", "-o", options, self.root), check=True, cwd=self.base)

    @property
    def device(self) -> int:
        return self.root.stat().st_dev

    def facts(self, path: str, **changes: Any) -> FileFacts:
        """Return the facts that the exec record of a file of this overlay would have now."""
        found = (self.root / path).stat()
        facts = FileFacts(
            path=os.fsencode(self.root / path),
            fs_path=os.fsencode("/" + path),
            device=self.device,
            inode=found.st_ino,
            size=found.st_size,
            mode=found.st_mode,
            ctime_ns=found.st_ctime_ns,
            nlink=found.st_nlink,
            magic=OVERLAYFS_MAGIC,
            fs_type="overlay",
            upper=(self.upper / path).exists(),
            lowers=sum((folder / path).exists() for folder in self.lower),
        )
        return msgspec.structs.replace(facts, **changes)


def put(path: Path, content: bytes, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


@contextmanager
def mounted(base: Path, *layers: Mapping[str, bytes], **options: Any) -> Iterator[Overlay]:
    overlay = Overlay(base, *layers, **options)
    overlay.mount()
    try:
        yield overlay
    finally:
        subprocess.run(("umount", "-l", overlay.root), check=True)


@contextmanager
def mounted_tmpfs(folder: Path) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(("mount", "-t", "tmpfs", "tmpfs", folder), check=True)
    try:
        yield folder
    finally:
        subprocess.run(("umount", "-l", folder), check=True)


@contextmanager
def running(*command: Any, **options: Any) -> Iterator[int]:
    """Run a process for a ``with`` block, which begins after its first line of output; yield its pid."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, **options) as process:
        assert process.stdout is not None
        assert process.stdout.readline(), "it ended at once"
        yield process.pid
        process.kill()


MakeOverlay = Callable[..., Overlay]
