"""The list of hunting tables, with their records and descriptions."""

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
    """A hunting table."""

    name: str
    """Name as in queries."""
    record: type[Record]
    """Record class of its rows."""
    description: str
    """Content of the table, for the reference page."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns in the table's order."""
        return columns(self.record)


TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        Table("CloudProcessEvents", CloudProcessEvent, "Executions in the containers of a cluster"),
        Table("CloudAuditEvents", CloudAuditEvent, "Audit logs of control planes, mainly of the Kubernetes API server"),
        Table("AlertInfo", AlertInfo, "Alerts"),
        Table("AlertEvidence", AlertEvidence, "Entities of alerts: processes, files, containers, images and pods"),
        Table("SensorHealth", SensorHealth, "Reports of the sensors on themselves, in particular on lost events"),
    )
}
"""All hunting tables by name."""
