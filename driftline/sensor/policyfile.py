"""The policy file, followed as it changes."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from driftline import policy as policies
from driftline.policy import Policy

__all__ = ["PolicyFile"]

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
        self.current: Policy = policies.load_file(path) if path else policies.DEFAULT
        """The policy in force."""
        self.loaded_at = datetime.datetime.now(datetime.UTC)

    @property
    def source(self) -> str:
        """Where the policy comes from, for people."""
        return str(self._path) if self._path else "built in"

    def changed(self) -> Policy | None:
        """Give the policy if the file is another since the last call.

        Raises ``InvalidPolicy``, once for each version of the file; ``current`` stays then.
        """
        version = self._look()
        if self._path is None or version == self._version:
            return None
        self._version = version
        self.current = policies.load_file(self._path)
        self.loaded_at = datetime.datetime.now(datetime.UTC)
        return self.current

    def _look(self) -> _Version | None:
        try:
            found = os.stat(self._path) if self._path else None  # noqa: PTH116 (None has no Path)
        except OSError:
            return None
        return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size) if found else None
