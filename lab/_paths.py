"""Directories and files of one lab, and their locks.

A lab is a private containerd. Unnamed labs use the first free one of a fixed number of numbered
directories and hold a lock (flock(2)) on it while their process lives: a directory whose lock is
free but which is not empty was left by a crash. Imported images stay in the directory, which makes
the next start quick.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DATA", "RUN", "LabPaths", "lock_free_paths", "locked"]

# State in memory (tmpfs), gone after a reboot; data on disk, kept.
RUN = Path("/run/driftline-lab")
DATA = Path("/var/tmp/driftline-lab")
MAX_LABS = 32  # unnamed labs at the same time on one machine


@dataclass(frozen=True, slots=True)
class LabPaths:
    """Paths of one lab."""

    name: str
    run: Path
    """Directory of the socket, the state and the pid file; removed when the lab stops."""
    data: Path
    """Directory of images and the log; kept."""

    @classmethod
    def named(cls, name: str) -> "LabPaths":
        """Return the paths of the lab ``name``, which need not exist."""
        return cls(name, RUN / name, DATA / "labs" / name)

    @property
    def socket(self) -> Path:
        return self.run / "containerd.sock"

    @property
    def config(self) -> Path:
        return self.run / "config.toml"

    @property
    def pid_file(self) -> Path:
        return self.run / "containerd.pid"

    @property
    def cgroups(self) -> Path:
        """File with all cgroups ever created in this lab, one a line, for the clean-up after a crash."""
        return self.run / "cgroups"

    def remember(self, cgroup: str) -> None:
        """Record a cgroup before it is created."""
        with self.cgroups.open("a") as known:
            known.write(f"{cgroup}\n")

    @property
    def log(self) -> Path:
        return self.data / "containerd.log"

    @property
    def root(self) -> Path:
        return self.data / "root"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file, waiting for it if necessary; the file is created."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def lock_free_paths() -> tuple[LabPaths, int]:
    """Reserve the first unnamed lab that is not in use; return its paths and a descriptor.

    The reservation lasts until the descriptor is closed or the process ends. Raises ``RuntimeError``
    if all are in use.
    """
    RUN.mkdir(parents=True, exist_ok=True)
    for number in range(MAX_LABS):
        descriptor = os.open(RUN / f"{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        return LabPaths.named(str(number)), descriptor
    raise RuntimeError(f"{MAX_LABS} labs run already; see {RUN}")
