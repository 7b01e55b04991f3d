"""Where one lab keeps its things.

A lab is a containerd of its own. Unnamed labs take the first free of a row of numbered places and
hold a lock (flock(2)) on it as long as their process lives, so that a place whose lock is free
but which is not empty was left by a crash. Images imported into a place stay there, which makes
the next start quick.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DATA", "RUN", "Place", "lock_free_place", "locked"]

RUN = Path("/run/driftline-lab")
DATA = Path("/var/tmp/driftline-lab")
MOST_LABS = 32


@dataclass(frozen=True, slots=True)
class Place:
    """The directories of one lab: ``run`` is short-lived, ``data`` holds images and logs."""

    name: str
    run: Path
    data: Path

    @classmethod
    def named(cls, name: str) -> "Place":
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
        """The cgroups ever made here, one a line: what a crash may leave behind."""
        return self.run / "cgroups"

    def remember(self, cgroup: str) -> None:
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
    """Hold an exclusive lock on a file; waits for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def lock_free_place() -> tuple[Place, int]:
    """Take a place nobody uses; the lock lasts until its descriptor is closed."""
    RUN.mkdir(parents=True, exist_ok=True)
    for number in range(MOST_LABS):
        descriptor = os.open(RUN / f"{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        return Place.named(str(number)), descriptor
    raise RuntimeError(f"{MOST_LABS} labs run already; see {RUN}")
