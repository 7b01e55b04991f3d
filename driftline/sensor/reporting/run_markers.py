"""Which runs of the sensor ended without saying that they stop.

Each run has a file in ``DIR/runs``, locked for as long as it lives and touched while it does; a clean stop
removes it. A file that nobody holds is a run that was killed, and its time is when that was last alive.
The process that ships outlives a killed sensor, tells the server at once, and removes the file: the
next run then has to tell only of those whose whole service was killed, or whose node went down.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

__all__ = ["KilledRun", "RunMarker", "remove"]

_FOLDER = "runs"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class KilledRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that ended without saying so."""

    run: str
    alive: datetime.datetime
    """When it last said that it lives, UTC; at most a heartbeat before its end."""
    same_boot: bool

    def reason(self) -> str:
        """Say it in words."""
        since = "" if self.same_boot else ", and the node was restarted since"
        alive = self.alive.isoformat(timespec="seconds")
        return f"the run {self.run} ended without saying that it stops; it was last alive at {alive}{since}"


class RunMarker:
    """The file of the run that is under way."""

    def __init__(self, directory: Path, run: str) -> None:
        """Say that ``run`` has begun; ``directory`` is the sensor's state."""
        folder = directory / _FOLDER
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.killed = tuple(_take_killed(folder))
        """The runs before, each told once."""
        self._path = folder / run
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        os.write(self._fd, _BOOT_ID.read_bytes())

    def touch(self) -> None:
        """Say that it lives."""
        os.utime(self._fd)

    def stop(self) -> None:
        """Say that it stops; once is enough."""
        if self._fd >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1


def remove(directory: Path, run: str) -> None:
    """Forget a run whose end was told."""
    (directory / _FOLDER / Path(run).name).unlink(missing_ok=True)


def _take_killed(folder: Path) -> Iterator[KilledRun]:
    boot = _BOOT_ID.read_bytes()
    for path in sorted(folder.iterdir()):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with contextlib.closing(os.fdopen(fd, "rb")) as file:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # another sensor's, which lives
            alive = datetime.datetime.fromtimestamp(os.fstat(fd).st_mtime, datetime.UTC)
            yield KilledRun(run=path.name, alive=alive, same_boot=file.read(len(boot) + 1) == boot)
        path.unlink(missing_ok=True)
