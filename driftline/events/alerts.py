"""``AlertInfo`` and ``AlertEvidence``, and the drift alert that both are made from."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from driftline.events._record import Dynamic, Record, doc
from driftline.events.process import CloudProcessEvent

__all__ = ["Alert", "AlertEvidence", "AlertInfo", "ProcessNode", "alert_evidence", "alert_info"]

SERVICE_SOURCE = "driftline"
DETECTION_SOURCE = "Binary drift"

Time = datetime.datetime


class AlertInfo(Record, frozen=True, kw_only=True):
    """One alert."""

    Timestamp: Annotated[Time, doc("When what it is about happened, UTC")]
    AlertId: Annotated[str, doc("Id of the alert")] = ""
    Title: Annotated[str, doc("The alert in a line")] = ""
    Category: Annotated[str, doc("Kind of activity: the tactic")] = ""
    Severity: Annotated[str, doc("Informational, Low, Medium or High")] = ""
    ServiceSource: Annotated[str, doc("The product that raised it")] = ""
    DetectionSource: Annotated[str, doc("The part of the product that raised it")] = ""
    AttackTechniques: Annotated[str, doc("MITRE ATT&CK techniques, as a JSON array")] = ""


class AlertEvidence(Record, frozen=True, kw_only=True):
    """One entity that an alert is about."""

    Timestamp: Annotated[Time, doc("When what the alert is about happened, UTC")]
    AlertId: Annotated[str, doc("Id of the alert")] = ""
    Title: Annotated[str, doc("Title of the alert")] = ""
    Categories: Annotated[str, doc("Kinds of activity, as a JSON array")] = ""
    AttackTechniques: Annotated[str, doc("MITRE ATT&CK techniques, as a JSON array")] = ""
    ServiceSource: Annotated[str, doc("The product that raised the alert")] = ""
    DetectionSource: Annotated[str, doc("The part of the product that raised it")] = ""
    EntityType: Annotated[str, doc("Process, File, Container, ContainerImage or KubernetesPod")] = ""
    EvidenceRole: Annotated[str, doc("Impacted or Related")] = ""
    EvidenceDirection: Annotated[str, doc("Source or Destination of a connection")] = ""
    FileName: Annotated[str, doc("Name of the file")] = ""
    FolderPath: Annotated[str, doc("Folder of the file")] = ""
    SHA1: Annotated[str, doc("SHA-1 of the file")] = ""
    SHA256: Annotated[str, doc("SHA-256 of the file")] = ""
    FileSize: Annotated[int | None, doc("Size of the file in bytes")] = None
    ThreatFamily: Annotated[str, doc("Malware family")] = ""
    RemoteIP: Annotated[str, doc("Address of the other side")] = ""
    RemoteUrl: Annotated[str, doc("URL or host name of the other side")] = ""
    AccountName: Annotated[str, doc("User name")] = ""
    AccountDomain: Annotated[str, doc("Domain of the user")] = ""
    AccountSid: Annotated[str, doc("Security identifier of the user")] = ""
    AccountObjectId: Annotated[str, doc("Object id of the user in the directory")] = ""
    AccountUpn: Annotated[str, doc("User principal name")] = ""
    DeviceId: Annotated[str, doc("Id of the device")] = ""
    DeviceName: Annotated[str, doc("Name of the node")] = ""
    LocalIP: Annotated[str, doc("Address of the local side")] = ""
    NetworkMessageId: Annotated[str, doc("Id of an e-mail")] = ""
    EmailSubject: Annotated[str, doc("Subject of an e-mail")] = ""
    Application: Annotated[str, doc("Application that did it")] = ""
    ApplicationId: Annotated[int | None, doc("Id of the application")] = None
    OAuthApplicationId: Annotated[str, doc("Id of the OAuth application")] = ""
    ProcessCommandLine: Annotated[str, doc("Command line of the process")] = ""
    RegistryKey: Annotated[str, doc("Registry key")] = ""
    RegistryValueName: Annotated[str, doc("Registry value's name")] = ""
    RegistryValueData: Annotated[str, doc("Registry value's data")] = ""
    AdditionalFields: Annotated[Dynamic, doc("More about the entity, as a property bag")] = {}
    Severity: Annotated[str, doc("Severity of the alert")] = ""
    CloudResource: Annotated[str, doc("Name of the cloud resource")] = ""
    CloudPlatform: Annotated[str, doc("Azure, Amazon Web Services or Google Cloud Platform")] = ""
    ResourceType: Annotated[str, doc("Type of the resource")] = ""
    ResourceID: Annotated[str, doc("Id of the resource")] = ""
    SubscriptionId: Annotated[str, doc("Subscription of the resource")] = ""


class ProcessNode(msgspec.Struct, frozen=True, kw_only=True):
    """One process above the one an alert is about."""

    pid: int
    program: str
    """Path of its program; in ``[]`` the kernel's short name, if that is all there is."""
    command_line: str
    start_time: Time


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A drift alert, as a sensor raises it."""

    alert_id: str
    timestamp: Time
    title: str
    category: str
    severity: str
    attack_techniques: tuple[str, ...]
    description: str
    """The verdict in words."""
    event: CloudProcessEvent
    process_tree: tuple[ProcessNode, ...]
    """The processes above, nearest first."""


def alert_info(alert: Alert) -> AlertInfo:
    """Make the alert's row."""
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
    """Make the rows of the entities the alert is about: the impacted process and file first."""
    event = alert.event
    file = {"FileName": event.FileName, "FolderPath": event.FolderPath, "SHA256": event.SHA256}
    process: dict[str, Any] = {"ProcessCommandLine": event.ProcessCommandLine, "AccountName": event.AccountName}
    return (
        _evidence(alert, "Process", "Impacted", _process_fields(alert), **file, **process),
        _evidence(alert, "File", "Impacted", _drift_fields(event), **file, FileSize=event.FileSize),
        _evidence(alert, "Container", "Impacted", _container_fields(event)),
        _evidence(alert, "ContainerImage", "Related", _image_fields(event)),
        _evidence(alert, "KubernetesPod", "Impacted", _pod_fields(event)),
    )


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


# The execution whole, so that an alert explains itself when its event has aged out.
def _process_fields(alert: Alert) -> Mapping[str, Any]:
    event = msgspec.to_builtins(alert.event)
    told = {name: value for name, value in event.items() if value not in ("", None, {})}
    return told | {"Description": alert.description, "ProcessTree": msgspec.to_builtins(alert.process_tree)}


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


def _array(values: tuple[str, ...]) -> str:
    return msgspec.json.encode(values).decode()
