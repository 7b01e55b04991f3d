"""Rows and batches for tests."""

from __future__ import annotations

import datetime

import pyarrow as pa

from driftline import wire
from driftline.events import AlertEvidence, AlertInfo, CloudProcessEvent, Record, SensorHealth

NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)


def event(name: str = "sh", *, cluster: str = "c", node: str = "n", when: datetime.datetime = NOW) -> CloudProcessEvent:
    return CloudProcessEvent(
        Timestamp=when, FileName=name, ProcessId=7, PodLabels={"app": "web"}, ClusterName=cluster, NodeName=node
    )


def health(*, cluster: str = "c", node: str = "n") -> SensorHealth:
    return SensorHealth(Timestamp=NOW, ActionType="SensorStarted", ClusterName=cluster, NodeName=node)


def alert(alert_id: str = "a", *, cluster: str = "c", node: str = "n") -> dict[str, list[Record]]:
    return {
        "AlertInfo": [AlertInfo(Timestamp=NOW, AlertId=alert_id)],
        "AlertEvidence": [AlertEvidence(Timestamp=NOW, AlertId=alert_id, CloudResource=cluster, DeviceName=node)],
    }


def events(*names: str) -> dict[str, pa.Table]:
    return {"CloudProcessEvents": wire.table("CloudProcessEvents", [event(name) for name in names])}
