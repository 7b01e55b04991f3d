"""Alerts in an event store, written by the store's own process, as a sensor writes them."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable
from pathlib import Path

from driftline.events import Alert, CloudProcessEvent, stream
from driftline.store.process.writer import Writer, start_writer

SHA = "ab" * 32


def alert(
    *,
    cluster: str = "prod",
    image: str = "shop/web:1",
    sha256: str = SHA,
    rule: str = "Alert",
    path: str = "/tmp",
    namespace: str = "shop",
    pod: str = "web-1",
    workload: str = "Deployment/web",
    node: str = "node-1",
    title: str = "Drifted binary executed",
    severity: str = "High",
    ago: float = 1.0,
) -> Alert:
    """Make a drift alert; ``ago`` in seconds."""
    moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=ago)
    event = CloudProcessEvent(
        Timestamp=moment,
        ClusterName=cluster,
        NodeName=node,
        KubernetesNamespace=namespace,
        KubernetesPodName=pod,
        KubernetesResource=workload,
        ContainerImageName=image,
        FileName="miner",
        FolderPath=path,
        SHA256=sha256,
        PolicyRule=rule,
        ProcessCommandLine="/tmp/miner --fast",
    )
    return Alert(
        alert_id=uuid.uuid4().hex,
        timestamp=moment,
        title=title,
        category="Execution",
        severity=severity,
        attack_techniques=("T1059",),
        description="The image has no such file.",
        event=event,
        process_tree=(),
    )


def store(directory: Path, alerts: Iterable[Alert]) -> None:
    """Write alerts with their events to a store, and let go of it."""
    writer = start_writer(directory)
    write(writer, alerts)
    writer.close()


def write(writer: Writer, alerts: Iterable[Alert]) -> None:
    """Write alerts with their events to a store that goes on being served."""
    writer.write([line for each in alerts for line in (stream.encode(each.event), stream.encode(each))])
