"""Health of the sensor: losses by reason, as ``SensorHealth`` rows.

No loss is silent. The loop reads the counters of the kernel side and of the sensor twice a second, and each growth
becomes a row; lost exec records have a row for each container as well.
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
    """Counters of losses from all sources, and the maker of health rows."""

    def __init__(self, location: NodeLocation, sources: Mapping[str, Callable[[], int]]) -> None:
        """Take the node's location for the rows, and by reason a function that returns a total which only grows."""
        self.sensor_id = str(uuid.uuid4())
        """Id of this run of the sensor."""
        self._location = location
        self._sources = sources
        self._reported: Counter[str] = Counter()

    def lost(self) -> dict[str, int]:
        """Return the total number of losses by reason since the start."""
        return {reason: count() for reason, count in self._sources.items()}

    def new_losses(self) -> list[SensorHealth]:
        """Return a row (``EventsLost``) for each reason whose total grew since the last call, with the growth."""
        # Reported totals are remembered rather than counters reset: several readers (metrics, status) share them.
        rows = []
        for reason, total in self.lost().items():
            if total > self._reported[reason]:
                rows.append(self.row("EventsLost", reason=reason, count=total - self._reported[reason]))
                self._reported[reason] = total
        return rows

    def gaps(self, lost: Mapping[str, int]) -> list[SensorHealth]:
        """Return a row (``ContainerGap``) for each container that lost exec records.

        ``lost`` has the number by container id. ``new_losses`` counts the same losses by reason.
        """
        reason = "exec records of this container"
        return [self.row("ContainerGap", reason=reason, count=count, container_id=it) for it, count in lost.items()]

    def heartbeat(self, status: Mapping[str, Any]) -> SensorHealth:
        """Return a row (``Heartbeat``) with the main facts of ``status`` (``Sensor.status``)."""
        facts = {name.title(): status[name] for name in ("kernel", "coverage", "containers", "execs", "policy")}
        return self.row("Heartbeat", reason="", more=facts)

    def row(
        self, action: str, *, reason: str, count: int = 1, container_id: str = "", more: Mapping[str, Any] | None = None
    ) -> SensorHealth:
        """Return a row about this sensor with the present time."""
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
