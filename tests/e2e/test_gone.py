"""Containers that are gone, and forgotten by the runtime, before the sensor looks."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import lab as labs
from tests.e2e.conftest import POLICY, Row, Sensor, start_sensor

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

DRIFT = "cp /opt/lab/true /tmp/x; /tmp/x; true"


@pytest.fixture
def paused(lab: labs.Lab, tmp_path: Path) -> Iterator[Sensor]:
    """A sensor that is stopped by a signal."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    with start_sensor(lab, tmp_path, "--policy", str(tmp_path / "policy.yaml")) as sensor:
        sensor.process.send_signal(signal.SIGSTOP)
        yield sensor
        sensor.process.send_signal(signal.SIGCONT)


def run_and_forget(lab: labs.Lab, name: str) -> tuple[str, str]:
    """Run a pod whose container drifts and ends, and remove it; return the ids of pod and container."""
    pod = lab.pod(name)
    container = pod.container("busybox", command=("/bin/sh", "-c", DRIFT))
    container.wait()
    container.stop()
    pod.remove()
    return pod.uid, container.id


def test_containers_that_came_and_went_during_a_pause_are_reported(lab: labs.Lab, paused: Sensor) -> None:
    gone = [run_and_forget(lab, f"gone-{number}") for number in range(3)]
    paused.process.send_signal(signal.SIGCONT)

    for uid, container in gone:
        row = paused.wait_for(partial(is_alert_of, container))
        assert (row["PodUid"], row["FolderPath"], row["FileName"]) == (uid, "/tmp", "x")
        assert programs(paused, container) == ["busybox", "x"]


def is_alert_of(container: str, row: Row) -> bool:
    return bool(row["kind"] == "alert" and row["ContainerId"] == container)


def programs(sensor: Sensor, container: str) -> list[str]:
    """Return the executed programs of a container: its shell does without a process for cp."""
    events = (row for row in sensor.rows() if row["kind"] == "event" and row["ContainerId"] == container)
    return sorted(row["FileName"] for row in events if row["ActionType"] == "ProcessCreated")
