"""The table ``SensorHealth``: reports of the sensors on themselves, in particular on lost events.

Loss is reported as rows, so that a gap in the events is visible in hunts.
"""

from __future__ import annotations

import datetime
from typing import Annotated

from driftline.events._record import Dynamic, Record, doc

__all__ = ["SensorHealth"]


class SensorHealth(Record, frozen=True, kw_only=True):
    """A row of ``SensorHealth``: one report of a sensor on itself."""

    Timestamp: Annotated[datetime.datetime, doc("Time of the report, UTC")]
    ClusterName: Annotated[str, doc("Name of the cluster, from the sensor's settings")] = ""
    NodeName: Annotated[str, doc("Name of the node")] = ""
    SensorId: Annotated[str, doc("Id of the sensor process, new at each start")] = ""
    SensorVersion: Annotated[str, doc("Version of driftline")] = ""
    ActionType: Annotated[
        str,
        doc(
            "Kind of report: SensorStarted, SensorStopped, SensorKilled, SensorTampered, Heartbeat, PolicyChanged, "
            "PolicyRefused, BlockingArmed, BlockingDisarmed, EventsLost or ContainerGap"
        ),
    ] = ""
    Reason: Annotated[str, doc("Reason of the report; for EventsLost the reason of the loss")] = ""
    Count: Annotated[int | None, doc("Number of occurrences since the previous row with the same reason")] = None
    ContainerId: Annotated[str, doc("Id of the container, if the report concerns one container")] = ""
    AdditionalFields: Annotated[Dynamic, doc("Additional data on the report, as a property bag")] = {}
