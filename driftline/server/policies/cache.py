"""A cache of the policies in force, for the sensors that wait for a new version.

A thousand sensors that wake together read the database once, not a thousand times. A change by this process is seen
at once, a change by another replica after ``STALE`` seconds.
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

__all__ = ["DEFAULT_NAME", "STALE", "AppPolicies", "PolicyCache"]

STALE = 3.0
"""Seconds after which the policies are read again, for changes by other replicas."""
DEFAULT_NAME = "default"
"""Name of the policy of every cluster without a policy of its own."""


class PolicyCache:
    """The version in force of each policy. Thread-safe."""

    def __init__(self, state: State, hub: Hub) -> None:
        self._state = state
        self._hub = hub
        self._lock = threading.Lock()
        self._known: Mapping[str, PolicyVersion] = {}
        self._number = -1
        self._read_at = float("-inf")

    def fresh(self) -> bool:
        """Return whether ``of`` would answer from memory, without a query."""
        return self._number == self._hub.number(POLICIES) and time.monotonic() - self._read_at < STALE

    def of(self, cluster: str) -> PolicyVersion | None:
        """Return the version in force for a cluster; ``None`` without a policy for it and without a default one.

        May query the database; raises ``StateError``.
        """
        if not self.fresh():
            self._read()
        return self._known.get(cluster) or self._known.get(DEFAULT_NAME)

    def _read(self) -> None:
        with self._lock:
            if self.fresh():
                return
            number = self._hub.number(POLICIES)  # before reading, so that a change meanwhile is read the next time
            with self._state.reading() as session:
                found = {policy.name: policy for policy in policies.all_latest(session)}
            self._known, self._number, self._read_at = found, number, time.monotonic()


AppPolicies = Annotated[PolicyCache, part(PolicyCache)]
