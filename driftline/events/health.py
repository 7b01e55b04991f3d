"""``SensorHealth``: what the sensors themselves report, above all what they lost."""

from __future__ import annotations

import datetime
from typing import Annotated

from driftline.events._record import Dynamic, Record, doc

__all__ = ["SensorHealth"]


class SensorHealth(Record, frozen=True, kw_only=True):
    """One thing a sensor says of itself."""

    Timestamp: Annotated[datetime.datetime, doc("When the sensor noticed it, UTC")]
    ClusterName: Annotated[str, doc("Name of the cluster, from the sensor's settings")] = ""
    NodeName: Annotated[str, doc("Name of the node")] = ""
    SensorId: Annotated[str, doc("Id of this run of the sensor")] = ""
    SensorVersion: Annotated[str, doc("Version of driftline")] = ""
    ActionType: Annotated[
        str,
        doc(
            "SensorStarted, -Stopped, -Killed or -Tampered, Heartbeat, PolicyChanged or -Refused, "
            "BlockingArmed or -Disarmed, EventsLost or ContainerGap"
        ),
    ] = ""
    Reason: Annotated[str, doc("Why: for EventsLost the reason of the loss")] = ""
    Count: Annotated[int | None, doc("How many, since the last row with this reason")] = None
    ContainerId: Annotated[str, doc("The container it concerns, if one alone")] = ""
    AdditionalFields: Annotated[Dynamic, doc("More, as a property bag")] = {}
