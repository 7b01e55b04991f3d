"""``CloudAuditEvents``: what was asked of control planes, the Kubernetes API server's above all.

Names, order and types of the columns up to ``AdditionalFields`` are those of Defender's
advanced hunting; driftline's own come after. Of a Kubernetes API server, ``RawEventData`` holds
the event of ``audit.k8s.io/v1`` whole.
"""

from __future__ import annotations

import datetime
from typing import Annotated

from driftline.events._record import Dynamic, Record, doc

__all__ = ["CloudAuditEvent"]


class CloudAuditEvent(Record, frozen=True, kw_only=True):
    """One request to a control plane."""

    Timestamp: Annotated[datetime.datetime, doc("When the request came, UTC")]
    ReportId: Annotated[str, doc("Id of the event; of a Kubernetes API server its auditID")] = ""
    DataSource: Annotated[str, doc("Whose log it is from: Kubernetes Audit, AWS, Azure, GCP")] = ""
    ActionType: Annotated[str, doc("Create, Read, Update, Delete, Other or Unknown")] = ""
    OperationName: Annotated[str, doc("The operation in the log's own words")] = ""
    ResourceId: Annotated[str, doc("The resource it was about")] = ""
    IPAddress: Annotated[str, doc("Address the request came from")] = ""
    IsAnonymousProxy: Annotated[bool | None, doc("Whether the address is a known anonymous proxy; null if unknown")] = (
        None
    )
    CountryCode: Annotated[str, doc("Country of the address, two letters")] = ""
    City: Annotated[str, doc("City of the address")] = ""
    Isp: Annotated[str, doc("Internet service provider of the address")] = ""
    UserAgent: Annotated[str, doc("User agent of the request")] = ""
    RawEventData: Annotated[Dynamic, doc("The event as the log had it, whole")] = {}
    AdditionalFields: Annotated[Dynamic, doc("More about the event, as a property bag")] = {}
    ClusterName: Annotated[str, doc("Name of the cluster whose API server was asked")] = ""
