"""The policies in force, kept in memory for the sensors that wait.

A thousand sensors that wake together ask this once, not the database a thousand times. Another
replica's changes are seen after ``STALE`` seconds, this one's at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Annotated

from driftline.server.http.parts import part
from driftline.server.signals import POLICIES, Hub
from driftline.server.state import State, policies
from driftline.server.state.models import PolicyVersion

__all__ = ["DEFAULT_NAME", "STALE", "AppPolicies", "Current"]

STALE = 3.0
DEFAULT_NAME = "default"
"""The policy of every cluster that has none of its own."""


class Current:
    """The version in force of each policy."""

    def __init__(self, state: State, hub: Hub) -> None:
        self._state = state
        self._hub = hub
        self._lock = threading.Lock()
        self._known: Mapping[str, PolicyVersion] = {}
        self._number = -1
        self._read_at = float("-inf")

    def fresh(self) -> bool:
        """Tell whether ``of`` would answer from memory."""
        return self._number == self._hub.number(POLICIES) and time.monotonic() - self._read_at < STALE

    def of(self, cluster: str) -> PolicyVersion | None:
        """Give a cluster's policy; ``None`` if nobody made one. May ask the database."""
        if not self.fresh():
            self._read()
        return self._known.get(cluster) or self._known.get(DEFAULT_NAME)

    def _read(self) -> None:
        with self._lock:
            if self.fresh():
                return
            number = self._hub.number(POLICIES)  # before the reading: what comes meanwhile is read again
            with self._state.reading() as session:
                found = {policy.name: policy for policy in policies.all_latest(session)}
            self._known, self._number, self._read_at = found, number, time.monotonic()


AppPolicies = Annotated[Current, part(Current)]
