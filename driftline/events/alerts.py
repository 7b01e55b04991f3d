"""The tables ``AlertInfo`` and ``AlertEvidence``, and the drift alert from which their rows are made.

Names, order and types of the columns are those of Defender's advanced hunting, so that published queries
run unchanged (https://learn.microsoft.com/defender-xdr/advanced-hunting-alertinfo-table and
…-alertevidence-table). driftline leaves columns empty that have no meaning in containers.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from driftline.events._record import Dynamic, Record, doc
from driftline.events.process import CloudProcessEvent

__all__ = ["Alert", "AlertEvidence", "AlertInfo", "ProcessNode", "alert_evidence", "alert_info"]

SERVICE_SOURCE = "driftline"
"""``ServiceSource`` of drift alerts."""
DETECTION_SOURCE = "Binary drift"
"""``DetectionSource`` of drift alerts."""

Time = datetime.datetime


class AlertInfo(Record, frozen=True, kw_only=True):
    """A row of ``AlertInfo``: one alert."""

    Timestamp: Annotated[Time, doc("Time of the detected activity, UTC")]
    AlertId: Annotated[str, doc("Id of the alert")] = ""
    Title: Annotated[str, doc("Title of the alert")] = ""
    Category: Annotated[str, doc("MITRE ATT&CK tactic of the detected activity")] = ""
    Severity: Annotated[str, doc("Severity: Informational, Low, Medium or High")] = ""
    ServiceSource: Annotated[str, doc("Product that raised the alert")] = ""
    DetectionSource: Annotated[str, doc("Component of the product that raised the alert")] = ""
    AttackTechniques: Annotated[str, doc("MITRE ATT&CK techniques, as a JSON array")] = ""


class AlertEvidence(Record, frozen=True, kw_only=True):
    """A row of ``AlertEvidence``: one entity of an alert."""

    Timestamp: Annotated[Time, doc("Time of the detected activity, UTC")]
    AlertId: Annotated[str, doc("Id of the alert")] = ""
    Title: Annotated[str, doc("Title of the alert")] = ""
    Categories: Annotated[str, doc("MITRE ATT&CK tactics of the detected activity, as a JSON array")] = ""
    AttackTechniques: Annotated[str, doc("MITRE ATT&CK techniques, as a JSON array")] = ""
    ServiceSource: Annotated[str, doc("Product that raised the alert")] = ""
    DetectionSource: Annotated[str, doc("Component of the product that raised the alert")] = ""
    EntityType: Annotated[str, doc("Type of the entity: Process, File, Container, ContainerImage or KubernetesPod")] = (
        ""
    )
    EvidenceRole: Annotated[str, doc("Role of the entity in the alert: Impacted or Related")] = ""
    EvidenceDirection: Annotated[str, doc("Side of a network connection: Source or Destination")] = ""
    FileName: Annotated[str, doc("Name of the file")] = ""
    FolderPath: Annotated[str, doc("Folder of the file")] = ""
    SHA1: Annotated[str, doc("SHA-1 of the file")] = ""
    SHA256: Annotated[str, doc("SHA-256 of the file")] = ""
    FileSize: Annotated[int | None, doc("Size of the file in bytes")] = None
    ThreatFamily: Annotated[str, doc("Malware family")] = ""
    RemoteIP: Annotated[str, doc("IP address of the remote side of a connection")] = ""
    RemoteUrl: Annotated[str, doc("URL or host name of the remote side")] = ""
    AccountName: Annotated[str, doc("User name")] = ""
    AccountDomain: Annotated[str, doc("Domain of the user")] = ""
    AccountSid: Annotated[str, doc("Security identifier of the user")] = ""
    AccountObjectId: Annotated[str, doc("Object id of the user in Microsoft Entra ID")] = ""
    AccountUpn: Annotated[str, doc("User principal name (UPN)")] = ""
    DeviceId: Annotated[str, doc("Id of the device")] = ""
    DeviceName: Annotated[str, doc("Name of the node")] = ""
    LocalIP: Annotated[str, doc("IP address of the local side of a connection")] = ""
    NetworkMessageId: Annotated[str, doc("Id of an e-mail")] = ""
    EmailSubject: Annotated[str, doc("Subject of an e-mail")] = ""
    Application: Annotated[str, doc("Application that performed the activity")] = ""
    ApplicationId: Annotated[int | None, doc("Id of the application")] = None
    OAuthApplicationId: Annotated[str, doc("Id of the OAuth application")] = ""
    ProcessCommandLine: Annotated[str, doc("Command line of the process")] = ""
    RegistryKey: Annotated[str, doc("Registry key")] = ""
    RegistryValueName: Annotated[str, doc("Name of the registry value")] = ""
    RegistryValueData: Annotated[str, doc("Data of the registry value")] = ""
    AdditionalFields: Annotated[Dynamic, doc("Additional data on the entity, as a property bag")] = {}
    Severity: Annotated[str, doc("Severity of the alert")] = ""
    CloudResource: Annotated[str, doc("Name of the cloud resource")] = ""
    CloudPlatform: Annotated[str, doc("Cloud platform: Azure, Amazon Web Services or Google Cloud Platform")] = ""
    ResourceType: Annotated[str, doc("Type of the resource")] = ""
    ResourceID: Annotated[str, doc("Id of the resource")] = ""
    SubscriptionId: Annotated[str, doc("Subscription of the resource")] = ""


class ProcessNode(msgspec.Struct, frozen=True, kw_only=True):
    """An ancestor of the process of an alert."""

    pid: int
    """Process id on the node."""
    program: str
    """Path of the program in the container; if unknown, the kernel's short name (``comm``) in brackets."""
    command_line: str
    """Arguments, joined by spaces; empty if unknown."""
    start_time: Time
    """Time when the process was forked, aware, UTC."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A drift alert, raised by a sensor for one execution."""

    alert_id: str
    """Unique id."""
    timestamp: Time
    """Time of the execution, aware, UTC."""
    title: str
    """Title of the alert."""
    category: str
    """MITRE ATT&CK tactic."""
    severity: str
    """Informational, Low, Medium or High."""
    attack_techniques: tuple[str, ...]
    """MITRE ATT&CK techniques."""
    description: str
    """Reason of the verdict in words."""
    event: CloudProcessEvent
    """The execution."""
    process_tree: tuple[ProcessNode, ...]
    """Ancestors of the process, parent first."""


def alert_info(alert: Alert) -> AlertInfo:
    """Return the row of ``AlertInfo`` for an alert."""
    return AlertInfo(
        Timestamp=alert.timestamp,
        AlertId=alert.alert_id,
        Title=alert.title,
        Category=alert.category,
        Severity=alert.severity,
        ServiceSource=SERVICE_SOURCE,
        DetectionSource=DETECTION_SOURCE,
        AttackTechniques=_array(alert.attack_techniques),
    )


def alert_evidence(alert: Alert) -> tuple[AlertEvidence, ...]:
    """Return the rows of ``AlertEvidence`` for an alert.

    There is one row for each entity, in this order: process, file, container, container image, Kubernetes
    pod. The image has the role Related, all others are Impacted.
    """
    event = alert.event
    file = {"FileName": event.FileName, "FolderPath": event.FolderPath, "SHA256": event.SHA256}
    process: dict[str, Any] = {"ProcessCommandLine": event.ProcessCommandLine, "AccountName": event.AccountName}
    # Columns of an entity are those that Defender fills for its type; other properties are in AdditionalFields.
    return (
        _evidence(alert, "Process", "Impacted", _process_fields(alert), **file, **process),
        _evidence(alert, "File", "Impacted", _drift_fields(event), **file, FileSize=event.FileSize),
        _evidence(alert, "Container", "Impacted", _container_fields(event)),
        _evidence(alert, "ContainerImage", "Related", _image_fields(event)),
        _evidence(alert, "KubernetesPod", "Impacted", _pod_fields(event)),
    )


# ``columns`` are those of one entity type; ``more`` becomes AdditionalFields. All other columns are the alert's.
def _evidence(alert: Alert, entity: str, role: str, more: Mapping[str, Any], **columns: Any) -> AlertEvidence:
    event = alert.event
    return AlertEvidence(
        Timestamp=alert.timestamp,
        AlertId=alert.alert_id,
        Title=alert.title,
        Categories=_array((alert.category,)),
        AttackTechniques=_array(alert.attack_techniques),
        ServiceSource=SERVICE_SOURCE,
        DetectionSource=DETECTION_SOURCE,
        EntityType=entity,
        EvidenceRole=role,
        DeviceName=event.NodeName,
        AdditionalFields=more,
        Severity=alert.severity,
        CloudResource=event.ClusterName,
        ResourceID=event.AzureResourceId or event.AwsResourceName or event.GcpFullResourceName,
        **columns,
    )


# All columns of the execution, because alerts may be kept longer than events. Empty columns are left out.
def _process_fields(alert: Alert) -> Mapping[str, Any]:
    event = msgspec.to_builtins(alert.event)
    known = {name: value for name, value in event.items() if value not in ("", None, {})}
    return known | {"Description": alert.description, "ProcessTree": msgspec.to_builtins(alert.process_tree)}


# The verdict and the policy's decision are properties of the file.
def _drift_fields(event: CloudProcessEvent) -> Mapping[str, Any]:
    return {
        "Drift": event.Drift,
        "DriftSubject": event.DriftSubject,
        "DriftOrigin": event.DriftOrigin,
        "DriftContent": event.DriftContent,
        "PolicyRule": event.PolicyRule,
        "PolicyAction": event.PolicyAction,
        **event.AdditionalFields,
    }


def _container_fields(event: CloudProcessEvent) -> Mapping[str, Any]:
    return {"ContainerId": event.ContainerId, "ContainerName": event.ContainerName}


def _image_fields(event: CloudProcessEvent) -> Mapping[str, Any]:
    return {"ImageName": event.ContainerImageName, "ImageDigest": event.ImageDigest}


def _pod_fields(event: CloudProcessEvent) -> Mapping[str, Any]:
    return {
        "Namespace": event.KubernetesNamespace,
        "Pod": event.KubernetesPodName,
        "PodUid": event.PodUid,
        "PodLabels": event.PodLabels,
        "Workload": event.KubernetesResource,
    }


# Defender stores lists in text columns as JSON arrays.
def _array(values: tuple[str, ...]) -> str:
    return msgspec.json.encode(values).decode()
