"""The tables and columns of published queries, over the rows of a store."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from typing import Any

import pytest

from driftline.errors import InvalidQuery
from driftline.events import VIEWS, AlertEvidence, AlertInfo, CloudAuditEvent, CloudProcessEvent, Record
from driftline.store.files.database import Database
from driftline.store.query.hunt_store import Hunt

NOW = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.UTC)
ARN = "arn:aws:eks:eu-central-1:123456789012:cluster/prod"


def audited(verb: str, resource: str, **fields: Any) -> CloudAuditEvent:
    event = {
        "auditID": verb,
        "verb": verb,
        "stage": "ResponseComplete",
        "requestURI": f"/api/v1/{resource}",
        "user": {"username": "alice"},
        "sourceIPs": ["203.0.113.9"],
        "objectRef": {"resource": resource},
        "requestReceivedTimestamp": "2026-11-29T12:00:00.000001Z",
    }
    return CloudAuditEvent(
        Timestamp=NOW, DataSource="Kubernetes Audit", ClusterName="prod", RawEventData=event | fields
    )


KUBERNETES_EVENT = {
    "kind": "Event",
    "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web"},
    "reason": "BackOff",
    "message": "restarting failed container",
    "type": "Warning",
    "count": 3,
    "source": {"component": "kubelet", "host": "node-1"},
    "firstTimestamp": "2026-11-29T11:00:00Z",
    "lastTimestamp": "2026-11-29T12:00:00Z",
}
ROWS: dict[str, list[Record]] = {
    "CloudProcessEvents": [
        CloudProcessEvent(
            Timestamp=NOW, ActionType="ProcessCreated", FileName="x", FolderPath="/tmp", ProcessId=7,
            ParentProcessId="6", ParentProcessName="sh", KubernetesNamespace="shop", KubernetesPodName="web",
            KubernetesResource="Deployment/web", ContainerName="c", ContainerId="c1", NodeName="node-1",
            ClusterName="prod", AwsResourceName=ARN, PolicyAction="block", PolicyRule="no drift",
            DriftReason="the image has no such file", ProcessKey="b-7-1",
            WriteTime=NOW, WriterProcessName="curl", WriterProcessCommandLine="curl -o /tmp/x", WriterProcessId=5,
        ),
        CloudProcessEvent(Timestamp=NOW, ActionType="ProcessEnded", FileName="y", ClusterName="test"),
    ],
    "AlertInfo": [
        AlertInfo(
            Timestamp=NOW, AlertId="a", Title="Program not in the image", Severity="High", Category="Execution",
            AttackTechniques='["Ingress Tool Transfer (T1105)"]',
        )
    ],
    "AlertEvidence": [
        AlertEvidence(
            Timestamp=NOW, AlertId="a", EntityType="Process", CloudResource="prod",
            AdditionalFields={"Description": "why"},
        ),
        AlertEvidence(
            Timestamp=NOW, AlertId="a", EntityType="KubernetesPod", CloudResource="prod",
            AdditionalFields={"KubernetesPodName": "web"},
        ),
    ],
    "CloudAuditEvents": [
        audited("get", "pods"),
        audited("delete", "pods"),
        audited("create", "events", responseObject=KUBERNETES_EVENT),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = Database(tmp_path_factory.mktemp("store"))
    opened.sequence("s")
    opened.append(ROWS, stream="s", sequence=1)
    yield opened
    opened.close()


def rows(database: Database, text: str, clusters: tuple[str, ...] | None = None) -> list[dict[str, Any]]:
    return database.hunt(Hunt(text=text, clusters=clusters)).to_pylist()


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_can_be_read(database: Database, view: str) -> None:
    found = rows(database, view)

    assert all(row["Type"] == view for row in found)
    assert rows(database, f"{view} | count") == [{"Count": len(found)}]


def test_every_table_has_the_standard_columns(database: Database) -> None:
    text = "union withsource=Source CloudProcessEvents, AlertInfo, CloudAuditEvents"
    found = rows(database, f"{text} | where TimeGenerated == Timestamp | distinct Source, Type, TenantId, SourceSystem")

    assert {row["Type"] for row in found} == {"CloudProcessEvents", "AlertInfo", "CloudAuditEvents"}
    assert all(row["Source"] == row["Type"] for row in found)


def test_process_events_have_defenders_columns_of_node_and_region(database: Database) -> None:
    text = "CloudProcessEvents | where FileName == 'x' | project HostName, AgentId, Region, _ResourceId, ReportId"
    (row,) = rows(database, text)

    assert len(row.pop("ReportId")) == 32
    assert row == {
        "HostName": "node-1", "AgentId": "prod/node-1", "Region": "eu-central-1", "_ResourceId": ARN,
    }  # fmt: skip


def test_alerts_are_security_alerts(database: Database) -> None:
    (row,) = rows(database, "SecurityAlert | where AlertSeverity == 'High'")

    assert (row["AlertName"], row["Description"], row["CompromisedEntity"]) == (
        "Program not in the image",
        "why",
        "web",
    )
    assert json.loads(row["Techniques"]) == ["T1105"]
    assert {each["EntityType"] for each in json.loads(row["Entities"])} == {"Process", "KubernetesPod"}


def test_the_audit_log_has_the_tables_of_azure_monitor(database: Database) -> None:
    published = "AKSAudit | where User.username == 'alice' | where ObjectRef.resource == 'pods' | project Verb"

    assert sorted(row["Verb"] for row in rows(database, published)) == ["delete", "get"]
    assert sorted(row["Verb"] for row in rows(database, "AKSAuditAdmin")) == ["create", "delete"]
    diagnostics = "AzureDiagnostics | where Category == 'kube-audit-admin' | extend e = parse_json(log_s)"
    assert len(rows(database, f"{diagnostics} | where e.verb == 'delete'")) == 1


def test_events_of_kubernetes_come_from_the_audit_log(database: Database) -> None:
    (row,) = rows(database, "KubeEvents | where KubeEventType == 'Warning'")

    assert (row["ObjectKind"], row["Name"], row["Reason"], row["Count"]) == ("Pod", "web", "BackOff", 3.0)
    assert (row["Computer"], row["LastSeen"]) == ("node-1", NOW)


def test_decisions_of_policies_are_policy_enforcement_events(database: Database) -> None:
    (row,) = rows(database, "CloudPolicyEnforcementEvents")

    assert (row["ActionType"], row["DataSource"]) == ("Deny", "Elastic Kubernetes Service")
    assert (row["ResourceKind"], row["ResourceName"], row["Reason"]) == (
        "Deployment", "web", "the image has no such file",
    )  # fmt: skip


def test_containers_are_devices(database: Database) -> None:
    (row,) = rows(database, "DeviceProcessEvents | where InitiatingProcessFileName == 'sh'")

    assert (row["DeviceName"], row["FolderPath"], row["InitiatingProcessId"]) == ("web", "/tmp/x", 6)


def test_the_last_change_of_an_executed_file_is_a_file_event(database: Database) -> None:
    (row,) = rows(database, "DeviceFileEvents | where InitiatingProcessCommandLine has 'curl'")

    assert (row["ActionType"], row["FolderPath"], row["InitiatingProcessId"]) == ("FileCreated", "/tmp/x", 5)


def test_a_caller_sees_the_rows_of_its_clusters_in_views(database: Database) -> None:
    assert len(rows(database, "SecurityAlert", ("prod",))) == 1
    assert rows(database, "SecurityAlert", ("test",)) == []
    assert rows(database, "DeviceProcessEvents", ("test",)) == []


def test_a_misspelt_view_is_suggested(database: Database) -> None:
    with pytest.raises(InvalidQuery, match="did you mean 'SecurityAlert'"):
        rows(database, "SecurityAlerts")
