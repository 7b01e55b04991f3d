"""The policy that the sensor runs, reloaded when its file changes."""

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
"""Device, inode, modification time (ns) and size: changed if the file was edited or replaced."""


class PolicyFile:
    """A policy loaded from a file, and reloaded when ``changed`` finds the file changed.

    The file is polled rather than watched by inotify: polling also works for the symlinks of a ConfigMap volume, which
    the kubelet replaces, for editors that rename, and for network volumes.
    """

    def __init__(self, path: Path | None) -> None:
        """Load ``path``, or the default policy without one. Raises ``InvalidPolicy``."""
        self._path = path
        self._version = self._look()
        self.source = str(path) if path else "built in"
        """Origin of the policy in force: path of the file, ``built in``, or name and version of a server's policy."""
        self.offered = self.source
        """Origin of the policy that was loaded last; it may have been refused."""
        self.current: Policy = self._load(path) if path else policies.DEFAULT
        """The policy in force."""
        self.loaded_at = datetime.datetime.now(datetime.UTC)
        """Time at which the policy in force was loaded, UTC."""

    def changed(self) -> Policy | None:
        """Return the new policy if the file has changed since the last call, otherwise ``None``.

        Raises ``InvalidPolicy`` once for each version of the file that is invalid; ``current`` stays in force then.
        """
        version = self._look()
        if self._path is None or version == self._version:
            return None
        # Remembered before loading, so that an invalid file raises once and not at every poll.
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
    """The policy of the sensor's server, from the cache; the default policy until the server has sent one."""

    def __init__(self, directory: Path) -> None:
        """Load the cached policy from the state directory ``directory``.

        Never fails, since the sensor must start: if the cached policy is unusable, the last good one is in force, or
        the default policy, and ``changed`` raises the reason.
        """
        # The version is remembered only if the file was loaded: otherwise ``changed`` loads it again and raises.
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

    # Removing the file must not bring back the default policy, which may block less.
    def _load(self, path: Path) -> Policy:
        kept = cache.read(path)
        if kept is None:
            raise TamperedPolicy(f"{path} was removed")
        self.offered = kept.label
        return policies.load(kept.text, source=kept.label)
