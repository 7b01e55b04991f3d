"""The table ``CloudAuditEvents``: audit logs of control planes, mainly of the Kubernetes API server.

Names, order and types of the columns up to ``AdditionalFields`` are those of Defender's advanced hunting
(https://learn.microsoft.com/defender-xdr/advanced-hunting-cloudauditevents-table); driftline's own follow.
For a Kubernetes API server, ``RawEventData`` is the complete ``Event`` of ``audit.k8s.io/v1``
(https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/).
"""

from __future__ import annotations

import datetime
from typing import Annotated

from driftline.events._record import Dynamic, Record, doc

__all__ = ["CloudAuditEvent"]


class CloudAuditEvent(Record, frozen=True, kw_only=True):
    """A row of ``CloudAuditEvents``: one request to a control plane."""

    # Columns of Defender's advanced hunting.
    Timestamp: Annotated[datetime.datetime, doc("Time of the request, UTC")]
    ReportId: Annotated[str, doc("Id of the event; the auditID of a Kubernetes API server")] = ""
    DataSource: Annotated[str, doc("Source of the log: Kubernetes Audit, AWS, Azure or GCP")] = ""
    ActionType: Annotated[str, doc("Kind of operation: Create, Read, Update, Delete, Other or Unknown")] = ""
    OperationName: Annotated[str, doc("Operation as named in the log")] = ""
    ResourceId: Annotated[str, doc("Id of the requested resource")] = ""
    IPAddress: Annotated[str, doc("IP address of the client")] = ""
    IsAnonymousProxy: Annotated[bool | None, doc("Whether the address is a known anonymous proxy; null if unknown")] = (
        None
    )
    CountryCode: Annotated[str, doc("Country of the address, as a two-letter code")] = ""
    City: Annotated[str, doc("City of the address")] = ""
    Isp: Annotated[str, doc("Internet service provider of the address")] = ""
    UserAgent: Annotated[str, doc("User agent of the request")] = ""
    RawEventData: Annotated[Dynamic, doc("Complete event of the log")] = {}
    AdditionalFields: Annotated[Dynamic, doc("Additional data on the event, as a property bag")] = {}
    # Column of driftline.
    ClusterName: Annotated[str, doc("Name of the cluster of the API server")] = ""
