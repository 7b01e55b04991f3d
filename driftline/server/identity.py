"""Which sensor asks.

It shows a token with the scope ``sensor`` and says itself who it is, within the clusters granted
to the token's owner. Endpoints for sensors take ``SensorCaller`` and know nothing of how.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query

from driftline.server.auth import Caller

__all__ = ["Sensor", "SensorCaller"]


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor that is who it says."""

    id: str
    cluster: str
    node: str


async def _by_token(
    caller: Caller,
    sensor: Annotated[str, Query(min_length=1, max_length=256, description="The sensor's own id")],
    cluster: Annotated[str, Query(max_length=253)] = "",
    node: Annotated[str, Query(max_length=253)] = "",
) -> Sensor:
    caller.check("sensor")
    caller.check_cluster(cluster)
    return Sensor(sensor, cluster, node)


SensorCaller = Annotated[Sensor, Depends(_by_token)]
