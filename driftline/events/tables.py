"""The hunting tables there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from driftline.events._record import Column, Record, columns
from driftline.events.alerts import AlertEvidence, AlertInfo
from driftline.events.audit import CloudAuditEvent
from driftline.events.health import SensorHealth
from driftline.events.process import CloudProcessEvent

__all__ = ["TABLES", "Table"]


@dataclass(frozen=True, slots=True)
class Table:
    """One hunting table."""

    name: str
    record: type[Record]
    description: str

    @property
    def columns(self) -> tuple[Column, ...]:
        """Its columns in order."""
        return columns(self.record)


TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        Table("CloudProcessEvents", CloudProcessEvent, "What ran in the containers of a cluster"),
        Table("CloudAuditEvents", CloudAuditEvent, "What was asked of control planes, the Kubernetes API above all"),
        Table("AlertInfo", AlertInfo, "Alerts"),
        Table("AlertEvidence", AlertEvidence, "The entities that alerts are about"),
        Table("SensorHealth", SensorHealth, "What sensors report of themselves, losses above all"),
    )
}
"""Every hunting table by its name."""
