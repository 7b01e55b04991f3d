"""Tables and columns that published queries expect, defined in KQL over the hunting tables.

Nothing is stored for them. Names and types are those of Microsoft's tables, so that queries written for these run
unchanged: Defender's advanced hunting (https://learn.microsoft.com/defender-xdr/advanced-hunting-schema-tables) and
Azure Monitor (https://learn.microsoft.com/azure/azure-monitor/reference/tables-index). A column for which no
sensor has a value is left out of a table that has rows, so that a query that needs it fails instead of finding
nothing; a text that is unknown for some rows only is empty there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["VIEWS", "VIEW_COLUMNS", "VIEW_QUERIES", "View"]


@dataclass(frozen=True, slots=True)
class View:
    """A table that is defined by a query."""

    name: str
    """Name as in queries."""
    description: str
    """Content of the table, for the reference page."""
    query: str
    """Its definition in KQL, over hunting tables and other views."""


# On every table, as Azure Monitor adds them (https://learn.microsoft.com/azure/azure-monitor/logs/log-standard-columns).
# There is one tenant, whose id is the empty text.
def _standard(table: str, resource: str = "''") -> dict[str, str]:
    return {
        "TimeGenerated": "Timestamp",
        "Type": f"'{table}'",
        "TenantId": "''",
        "SourceSystem": "'driftline'",
        "_ResourceId": resource,
    }


_RESOURCE = "coalesce(AzureResourceId, AwsResourceName, GcpFullResourceName)"
# The resource names of Amazon and Google hold the region: arn:aws:eks:REGION:ACCOUNT:cluster/NAME, and
# //container.googleapis.com/projects/PROJECT/locations/REGION/clusters/NAME. Those of Azure do not.
_REGION = (
    "coalesce(tostring(split(AwsResourceName, ':')[3]),"
    " extract('/(?:locations|zones)/([^/]+)/', 1, GcpFullResourceName))"
)
_RAW = "RawEventData"

VIEW_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "CloudProcessEvents": _standard("CloudProcessEvents", _RESOURCE)
    | {
        "HostName": "NodeName",
        "AgentId": "strcat(ClusterName, '/', NodeName)",
        "Region": _REGION,
        "ReportId": "hash_md5(strcat_delim('|', NodeName, ProcessKey, ActionType, FolderPath, FileName, Timestamp))",
    },
    "CloudAuditEvents": _standard("CloudAuditEvents", "ResourceId")
    | {
        "AzureResourceId": "iff(ResourceId startswith '/subscriptions/', ResourceId, '')",
        "AwsResourceName": "iff(ResourceId startswith 'arn:', ResourceId, '')",
        "GcpFullResourceName": "iff(ResourceId startswith '//', ResourceId, '')",
        "Account": f"tostring({_RAW}.user.username)",
        "AuditSource": "DataSource",
    },
    "AlertInfo": _standard("AlertInfo"),
    "AlertEvidence": _standard("AlertEvidence", "ResourceID"),
    "SensorHealth": _standard("SensorHealth"),
}
"""Columns by hunting table, with their expressions over its stored columns; a query sees those that it mentions."""

_AKS_AUDIT = f"""
CloudAuditEvents
| where DataSource == 'Kubernetes Audit'
| project TimeGenerated = Timestamp, Level = tostring({_RAW}.level), AuditId = tostring({_RAW}.auditID),
    Stage = tostring({_RAW}.stage), RequestUri = tostring({_RAW}.requestURI), Verb = tostring({_RAW}.verb),
    User = {_RAW}.user, SourceIps = {_RAW}.sourceIPs, UserAgent = tostring({_RAW}.userAgent),
    ObjectRef = {_RAW}.objectRef, ResponseStatus = {_RAW}.responseStatus, RequestObject = {_RAW}.requestObject,
    ResponseObject = {_RAW}.responseObject, Annotations = {_RAW}.annotations,
    RequestReceivedTime = todatetime({_RAW}.requestReceivedTimestamp),
    StageReceivedTime = todatetime({_RAW}.stageTimestamp), PodName = '', ClusterName, _ResourceId = ResourceId,
    SourceSystem = 'driftline', TenantId = '', Type = 'AKSAudit'
"""

_VIEWS = (
    View(
        "SecurityAlert",
        "Alerts, as in Microsoft Sentinel",
        """
AlertInfo
| join kind=leftouter (
    AlertEvidence
    | summarize Entities = tostring(make_list(bag_pack_columns(EntityType, EvidenceRole, FileName, FolderPath, SHA256,
        ProcessCommandLine, AccountName, DeviceName, CloudResource, AdditionalFields))),
        Description = take_anyif(tostring(AdditionalFields.Description), EntityType == 'Process'),
        CompromisedEntity = take_anyif(tostring(AdditionalFields.KubernetesPodName), EntityType == 'KubernetesPod'),
        ResourceId = take_any(CloudResource)
        by AlertId
) on AlertId
| project TimeGenerated = Timestamp, DisplayName = Title, AlertName = Title, AlertSeverity = Severity, Description,
    ProviderName = ServiceSource, VendorName = 'driftline', VendorOriginalId = AlertId, SystemAlertId = AlertId,
    ResourceId, AlertType = DetectionSource, StartTime = Timestamp, EndTime = Timestamp, ProcessingEndTime = Timestamp,
    Entities, SourceSystem = 'Detection', ProductName = 'driftline', ProductComponentName = DetectionSource,
    CompromisedEntity, Tactics = Category,
    Techniques = tostring(extract_all(@'(T[0-9]{4}(?:[.][0-9]{3})?)', AttackTechniques)), Timestamp, AlertId,
    TenantId = '', Type = 'SecurityAlert'
""",
    ),
    View(
        "AKSAudit",
        "Kubernetes audit log: all requests, as in Azure Monitor; the verbs get and list included",
        _AKS_AUDIT,
    ),
    View(
        "AKSAuditAdmin",
        "Kubernetes audit log without the verbs get and list, as in Azure Monitor",
        "AKSAudit | where Verb !in ('get', 'list') | extend Type = 'AKSAuditAdmin'",
    ),
    View(
        "AzureDiagnostics",
        "Kubernetes audit log, as in Azure Monitor before tables for single resources: log_s holds the event",
        f"""
CloudAuditEvents
| where DataSource == 'Kubernetes Audit'
| mv-expand Category = iff(tostring({_RAW}.verb) in ('get', 'list'), dynamic(['kube-audit']),
    dynamic(['kube-audit', 'kube-audit-admin'])) to typeof(string)
| project TimeGenerated = Timestamp, Category, log_s = tostring({_RAW}), Resource = toupper(ClusterName), ResourceId,
    ResourceProvider = 'MICROSOFT.CONTAINERSERVICE', ResourceType = 'MANAGEDCLUSTERS',
    OperationName = 'Microsoft.ContainerService/managedClusters/diagnosticLogs/Read', stream_s = 'stdout',
    _ResourceId = ResourceId, SourceSystem = 'driftline', TenantId = '', Type = 'AzureDiagnostics'
""",
    ),
    View(
        "KubeEvents",
        "Events of Kubernetes, as in Azure Monitor; read from the audit log, which must record request bodies",
        f"""
CloudAuditEvents
| where DataSource == 'Kubernetes Audit' and {_RAW}.objectRef.resource == 'events'
| where tostring({_RAW}.verb) in ('create', 'update', 'patch') and tostring({_RAW}.stage) == 'ResponseComplete'
| extend e = iff(isempty({_RAW}.responseObject), {_RAW}.requestObject, {_RAW}.responseObject)
| extend about = iff(isempty(e.involvedObject), e.regarding, e.involvedObject)
| project TimeGenerated = Timestamp, ClusterName, ClusterId = ResourceId,
    Computer = coalesce(tostring(e.source.host), tostring(e.deprecatedSource.host)),
    FirstSeen = coalesce(todatetime(e.firstTimestamp), todatetime(e.deprecatedFirstTimestamp), todatetime(e.eventTime)),
    LastSeen = coalesce(todatetime(e.lastTimestamp), todatetime(e.deprecatedLastTimestamp), todatetime(e.eventTime)),
    Count = coalesce(toreal(e['count']), toreal(e.deprecatedCount), 1.0), ObjectKind = tostring(about.kind),
    Namespace = tostring(about.namespace), Name = tostring(about.name), Reason = tostring(e.reason),
    Message = coalesce(tostring(e.message), tostring(e.note)), KubeEventType = tostring(e.type),
    SourceComponent = coalesce(tostring(e.source.component), tostring(e.reportingComponent)),
    _ResourceId = ResourceId, SourceSystem = 'Containers', TenantId = '', Type = 'KubeEvents'
""",
    ),
    View(
        "CloudPolicyEnforcementEvents",
        "Decisions of drift policies, as in Defender's advanced hunting",
        f"""
CloudProcessEvents
| where isnotempty(PolicyAction)
| project Timestamp, TimeGenerated = Timestamp,
    ReportId = hash_md5(strcat_delim('|', NodeName, ProcessKey, ActionType, FolderPath, FileName, Timestamp)),
    DataSource = case(isnotempty(AzureResourceId), 'Azure Kubernetes Service',
        isnotempty(AwsResourceName), 'Elastic Kubernetes Service',
        isnotempty(GcpFullResourceName), 'Google Kubernetes Engine', 'Kubernetes'),
    SubscriptionId = extract('/subscriptions/([^/]+)/', 1, AzureResourceId),
    ActionType = case(PolicyAction == 'block', 'Deny', PolicyAction == 'alert', 'Audit', 'Allow'),
    AzureResourceId, AwsResourceName, GcpFullResourceName, Region = {_REGION},
    ResourceKind = iff(isempty(KubernetesResource), 'Pod', tostring(split(KubernetesResource, '/')[0])),
    ResourceName = iff(isempty(KubernetesResource), KubernetesPodName, tostring(split(KubernetesResource, '/')[1])),
    KubernetesNamespace, Reason = DriftReason,
    AdditionalFields = bag_pack('PolicyRule', PolicyRule, 'BlockedBy', BlockedBy, 'FolderPath', FolderPath,
        'FileName', FileName, 'SHA256', SHA256, 'ProcessCommandLine', ProcessCommandLine,
        'KubernetesPodName', KubernetesPodName, 'ContainerName', ContainerName,
        'ContainerImageName', ContainerImageName, 'ProcessKey', ProcessKey),
    ClusterName, TenantId = '', Type = 'CloudPolicyEnforcementEvents'
""",
    ),
    View(
        "CloudDnsEvents",
        "DNS requests of containers, as in Defender's advanced hunting; empty, for sensors record none",
        """
CloudProcessEvents
| take 0
| project Timestamp, ReportId = '', ActionType, AzureResourceId, AwsResourceName, GcpFullResourceName,
    KubernetesResource, KubernetesNamespace, KubernetesPodName, ContainerName, ContainerId,
    ImageName = ContainerImageName, ProcessName, ProcessId, DnsEventType = '',
    DnsEventSubType = '', DnsQuery = '', DnsQueryTypeName = '', DnsResponseCodeName = '',
    DnsNetworkDuration = long(null), TransactionIdHex = '', ImageDigest, Region = '', HostName = NodeName,
    AdditionalFields, ClusterName, TimeGenerated = Timestamp, TenantId = '', Type = 'CloudDnsEvents'
""",
    ),
    View(
        "SecurityIncident",
        "Incidents, as in Microsoft Sentinel; empty as long as driftline makes none",
        """
AlertInfo
| take 0
| project TimeGenerated = Timestamp, IncidentName = '', IncidentNumber = int(null), Title, Description = '', Severity,
    Status = '', Classification = '', ClassificationComment = '', ClassificationReason = '', Owner = dynamic(null),
    ProviderName = '', ProviderIncidentId = '', FirstActivityTime = Timestamp, LastActivityTime = Timestamp,
    FirstModifiedTime = Timestamp, LastModifiedTime = Timestamp, CreatedTime = Timestamp, ClosedTime = Timestamp,
    RelatedAnalyticRuleIds = dynamic(null), AlertIds = dynamic(null), BookmarkIds = dynamic(null),
    Comments = dynamic(null), Tasks = dynamic(null), Labels = dynamic(null), IncidentUrl = '',
    AdditionalData = dynamic(null), ModifiedBy = '', SourceSystem = '', TenantId = '', Type = 'SecurityIncident'
""",
    ),
    View(
        "DeviceFileEvents",
        "Last changes of the files that containers executed, read or loaded, as in Defender's advanced hunting",
        """
CloudProcessEvents
| where isnotnull(WriteTime)
| summarize arg_max(Timestamp, *) by NodeName, ContainerId, FolderPath, FileName, WriterProcessKey, WriteTime
| project Timestamp = WriteTime, TimeGenerated = WriteTime, DeviceId = ContainerId,
    DeviceName = coalesce(KubernetesPodName, ContainerName, NodeName),
    ActionType = iff(DriftContent == 'modified', 'FileModified', 'FileCreated'), FileName,
    FolderPath = iff(FolderPath == '/', strcat('/', FileName), strcat(FolderPath, '/', FileName)), SHA256, FileSize,
    InitiatingProcessId = WriterProcessId, InitiatingProcessFileName = WriterProcessName,
    InitiatingProcessCommandLine = WriterProcessCommandLine,
    InitiatingProcessCreationTime = WriterProcessCreationTime, InitiatingProcessUniqueId = WriterProcessKey,
    ReportId = hash_md5(strcat_delim('|', NodeName, ContainerId, FolderPath, FileName, WriterProcessKey, WriteTime)),
    AdditionalFields = bag_pack('WriteOperation', WriteOperation, 'WriterPlace', WriterPlace,
        'WriterKubernetesPodName', WriterKubernetesPodName), MachineGroup = ClusterName, TenantId = '',
    Type = 'DeviceFileEvents'
""",
    ),
    View(
        "DeviceProcessEvents",
        "Started processes of containers, as in Defender's advanced hunting; a container counts as a device",
        """
CloudProcessEvents
| where ActionType == 'ProcessCreated'
| project Timestamp, TimeGenerated = Timestamp, DeviceId = ContainerId,
    DeviceName = coalesce(KubernetesPodName, ContainerName, NodeName), ActionType, FileName,
    FolderPath = iff(FolderPath == '/', strcat('/', FileName), strcat(FolderPath, '/', FileName)), SHA256, FileSize,
    ProcessId, ProcessCommandLine, ProcessCreationTime, AccountName, LogonId, ProcessUniqueId = ProcessKey,
    InitiatingProcessId = tolong(ParentProcessId), InitiatingProcessFileName = ParentProcessName,
    InitiatingProcessUniqueId = ParentProcessKey,
    ReportId = hash_md5(strcat_delim('|', NodeName, ProcessKey, ActionType, FolderPath, FileName, Timestamp)),
    AdditionalFields, MachineGroup = ClusterName, TenantId = '', Type = 'DeviceProcessEvents'
""",
    ),
)

VIEWS: Mapping[str, View] = {view.name: view for view in _VIEWS}
"""All views by name."""
VIEW_QUERIES: Mapping[str, str] = {view.name: view.query for view in _VIEWS}
"""Definitions of all views by name."""
