"""The records that packages exchange: hunting-table rows, alerts, containers, and the values of a verdict.

All records are frozen. Their fields are the columns of the hunting tables, from which the store's schema, the
KQL schema and the reference page are derived. This package imports no other package of driftline.
"""

from driftline.events._record import Column, Dynamic, Record, columns
from driftline.events._text import raw, text
from driftline.events.alerts import Alert, AlertEvidence, AlertInfo, ProcessNode, alert_evidence, alert_info
from driftline.events.audit import CloudAuditEvent
from driftline.events.container import Container, VolumeMount
from driftline.events.drift_types import Action, BlockedBy, Content, Drift, Origin, Subject, Verdict, VolumeKind
from driftline.events.health import SensorHealth
from driftline.events.process import CloudProcessEvent
from driftline.events.stream import Message
from driftline.events.tables import TABLES, Table
from driftline.events.views import VIEW_COLUMNS, VIEW_QUERIES, VIEWS, View

__all__ = [
    "TABLES",
    "VIEWS",
    "VIEW_COLUMNS",
    "VIEW_QUERIES",
    "Action",
    "Alert",
    "AlertEvidence",
    "AlertInfo",
    "BlockedBy",
    "CloudAuditEvent",
    "CloudProcessEvent",
    "Column",
    "Container",
    "Content",
    "Drift",
    "Dynamic",
    "Message",
    "Origin",
    "ProcessNode",
    "Record",
    "SensorHealth",
    "Subject",
    "Table",
    "Verdict",
    "View",
    "VolumeKind",
    "VolumeMount",
    "alert_evidence",
    "alert_info",
    "columns",
    "raw",
    "text",
]
