"""Marker files of the sensor's runs, to detect runs that were killed.

Each run has a file in ``DIR/runs`` (DIR is the state directory). The run holds a lock on it and updates its
modification time; a clean stop removes it. A file without a lock belongs to a run that was killed, and its
modification time is the last sign of life.

With a server, the shipping process outlives a killed sensor: it reports the kill at once and removes the file. The
next run reports the other runs: those without a server, whose shipping process was killed as well, or whose node went
down.
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
    """A run of the sensor that ended without a clean stop."""

    run: str
    """Id of the run."""
    alive: datetime.datetime
    """Time of its last sign of life, UTC; at most the interval of heartbeats before its end."""
    same_boot: bool
    """Whether the node has not been restarted since."""

    def reason(self) -> str:
        """Return the sentence for the row ``SensorKilled``."""
        since = "" if self.same_boot else ", and the node was restarted since"
        alive = self.alive.isoformat(timespec="seconds")
        return f"the run {self.run} ended without saying that it stops; it was last alive at {alive}{since}"


class RunMarker:
    """Marker file of the present run."""

    def __init__(self, directory: Path, run: str) -> None:
        """Create and lock the file of ``run`` in the state directory ``directory``; raises ``OSError``."""
        folder = directory / _FOLDER
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.killed = tuple(_take_killed(folder))
        """Earlier runs that were killed; their files are removed, so each is reported once."""
        self._path = folder / run
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        os.write(self._fd, _BOOT_ID.read_bytes())

    def touch(self) -> None:
        """Update the last sign of life."""
        os.utime(self._fd)

    def stop(self) -> None:
        """Remove the file: the run stops cleanly. Further calls do nothing."""
        if self._fd >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1


def remove(directory: Path, run: str) -> None:
    """Remove the file of a run whose end was reported; a missing file is no error."""
    (directory / _FOLDER / Path(run).name).unlink(missing_ok=True)


def _take_killed(folder: Path) -> Iterator[KilledRun]:
    boot = _BOOT_ID.read_bytes()
    for path in sorted(folder.iterdir()):
        # O_NOFOLLOW and O_NONBLOCK: neither a symlink is followed nor a FIFO waited for.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with contextlib.closing(os.fdopen(fd, "rb")) as file:
            # The kernel releases the lock when the process ends, however it ends (flock(2)).
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # the marker of another sensor that still runs
            alive = datetime.datetime.fromtimestamp(os.fstat(fd).st_mtime, datetime.UTC)
            yield KilledRun(run=path.name, alive=alive, same_boot=file.read(len(boot) + 1) == boot)
        path.unlink(missing_ok=True)
