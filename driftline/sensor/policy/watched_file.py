"""The policy the sensor runs, followed as its file changes."""

from __future__ import annotations

import contextlib
import datetime
import os
from pathlib import Path

from driftline import policy as policies
from driftline.errors import InvalidPolicy, TamperedPolicy
from driftline.policy import Policy
from driftline.sensor.policy import cache

__all__ = ["PolicyFile", "ServedPolicy"]

_Version = tuple[int, int, int, int]


class PolicyFile:
    """A policy and where it comes from.

    It is asked, not told: that works with the links of a ConfigMap volume, which are replaced,
    as with an editor's renames and with network volumes.
    """

    def __init__(self, path: Path | None) -> None:
        """Load ``path``, or the default policy without one. Raises ``InvalidPolicy``."""
        self._path = path
        self._version = self._look()
        self.source = str(path) if path else "built in"
        """Where the policy in force comes from, for people; for a server's, its name and version."""
        self.offered = self.source
        """The same of the policy loaded last, which may have been refused."""
        self.current: Policy = self._load(path) if path else policies.DEFAULT
        """The policy in force."""
        self.loaded_at = datetime.datetime.now(datetime.UTC)

    def changed(self) -> Policy | None:
        """Give the policy if the file is another since the last call.

        Raises ``InvalidPolicy``, once for each version of the file; ``current`` stays then.
        """
        version = self._look()
        if self._path is None or version == self._version:
            return None
        self._version = version
        self.current = self._load(self._path)
        self.source = self.offered
        self.loaded_at = datetime.datetime.now(datetime.UTC)
        return self.current

    def _load(self, path: Path) -> Policy:
        self.offered = str(path)
        return policies.load_file(path)

    def _look(self) -> _Version | None:
        try:
            found = os.stat(self._path) if self._path else None  # noqa: PTH116 (None has no Path)
        except OSError:
            return None
        return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size) if found else None


class ServedPolicy(PolicyFile):
    """The policy of the sensor's server; the default policy until the server has given one."""

    def __init__(self, directory: Path) -> None:
        """Take the sensor's state directory.

        The sensor must start: if what is kept is bad, the one that was good before it holds, and
        ``changed`` will say why.
        """
        super().__init__(None)
        self._path = directory / cache.FILE
        version = self._look()
        try:
            self._take(self._path)
            self._version = version
        except InvalidPolicy:
            with contextlib.suppress(InvalidPolicy):
                self._take(directory / cache.LAST_GOOD)

    def _take(self, path: Path) -> None:
        self.current = self._load(path)
        self.source = self.offered

    # Once there was one, its removal is no way back to the default policy.
    def _load(self, path: Path) -> Policy:
        kept = cache.read(path)
        if kept is None:
            raise TamperedPolicy(f"{path} was removed")
        self.offered = kept.label
        return policies.load(kept.text, source=kept.label)
