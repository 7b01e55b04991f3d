"""What the sensor missed: counted by reason, told as events, exported as metrics.

A gap is never silent: each second the counters of the kernel side and of the sensor are read,
and every growth becomes a ``SensorHealth`` row, with the container where it is known.
"""

from __future__ import annotations

import datetime
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from driftline.events import SensorHealth
from driftline.policy import NodeLocation

__all__ = ["HealthLedger"]


class HealthLedger:
    """The growing counts of what was lost, from all sources."""

    def __init__(self, location: NodeLocation, sources: Mapping[str, Callable[[], int]]) -> None:
        """Take counters by reason; each gives a total that only grows."""
        self.sensor_id = str(uuid.uuid4())
        self._location = location
        self._sources = sources
        self._told: Counter[str] = Counter()

    def lost(self) -> dict[str, int]:
        """Give the totals by reason."""
        return {reason: count() for reason, count in self._sources.items()}

    def news(self) -> list[SensorHealth]:
        """Give a row for each reason whose count grew since the last call."""
        rows = []
        for reason, total in self.lost().items():
            if total > self._told[reason]:
                rows.append(self.row("EventsLost", reason=reason, count=total - self._told[reason]))
                self._told[reason] = total
        return rows

    def gaps(self, lost: Mapping[str, int]) -> list[SensorHealth]:
        """Give a row for each container that lost execs: the same losses, by whose they were."""
        reason = "exec records of this container"
        return [self.row("ContainerGap", reason=reason, count=count, container_id=it) for it, count in lost.items()]

    def heartbeat(self, status: Mapping[str, Any]) -> SensorHealth:
        """Make the row that says it lives, with what ``Sensor.status`` tells."""
        told = {name.title(): status[name] for name in ("kernel", "coverage", "containers", "execs", "policy")}
        return self.row("Heartbeat", reason="", more=told)

    def row(
        self, action: str, *, reason: str, count: int = 1, container_id: str = "", more: Mapping[str, Any] | None = None
    ) -> SensorHealth:
        """Make one row about this sensor, as of now."""
        return SensorHealth(
            Timestamp=datetime.datetime.now(datetime.UTC),
            ClusterName=self._location.cluster,
            NodeName=self._location.node,
            SensorId=self.sensor_id,
            SensorVersion=version("driftline"),
            ActionType=action,
            Reason=reason,
            Count=count,
            ContainerId=container_id,
            AdditionalFields=dict(more or {}),
        )
