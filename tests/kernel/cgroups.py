"""Cgroups for tests, and shells that run in them in a mount namespace of their own."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

_ROOT = Path("/sys/fs/cgroup")
UNIFIED = _ROOT / "unified" if (_ROOT / "unified").is_dir() else _ROOT
"""Directory of the cgroup v2 hierarchy."""


class Cgroups:
    """Cgroups that are removed at the end of the ``with`` statement."""

    def __init__(self, base: Path = UNIFIED) -> None:
        self._base = base
        self._made: list[Path] = []

    def make(self, path: str) -> Path:
        """Create a cgroup and those above it."""
        for part in reversed([Path(path), *Path(path).parents][:-1]):
            folder = self._base / part
            if not folder.is_dir():
                folder.mkdir()
                self._made.append(folder)
        return self._base / path

    def run(self, path: str, script: str, *, timeout: float = 60) -> None:
        """Run a shell script in a cgroup."""
        folder = self.make(path)
        enter = f"echo $$ > {folder}/cgroup.procs && exec unshare --mount sh -c "
        subprocess.run(("sh", "-c", enter + '"$0"', script), check=True, timeout=timeout)

    def remove(self) -> None:
        """Remove all cgroups; none may have a process."""
        while self._made:
            self._made.pop().rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()
