"""A real sensor and a real server: what runs on the node is in the server's store, and so is its end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import lab as labs
from driftline.store.query import Filter, Query
from driftline.store.reader import open_reader
from tests.e2e.conftest import POLICY, start_sensor
from tests.server.gateways import Served

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

DRIFT = "cp /opt/lab/true /tmp/x; /tmp/x; true"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "server").mkdir()
    running = Served(tmp_path / "server")
    yield running
    running.stop()


def wait_for(served: Served, query: Query) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    with open_reader(served.directory / "store") as reader:
        while True:
            rows = reader.select(query).to_pylist()
            if rows:
                return dict(rows[0])
            assert time.monotonic() < deadline
            time.sleep(0.05)


def of_action(action: str) -> Query:
    return Query(table="SensorHealth", where=[Filter("ActionType", "=", action)])


def test_an_alert_and_the_sensors_death_arrive(
    lab: labs.Lab, served: Served, container: Callable[..., labs.LabContainer], tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    token = served.token(cluster="test").text()
    settings = ("--policy", str(policy), "--server", served.url, "--join", token, "--state", str(tmp_path / "state"))
    started = container("busybox")
    with start_sensor(lab, tmp_path, *settings, code=-signal.SIGKILL) as sensor:
        started.sh(DRIFT)
        container_filter = Filter("AdditionalFields.ContainerId", "=", started.id)
        found = wait_for(served, Query(table="AlertEvidence", where=[container_filter]))
        heartbeat = wait_for(served, of_action("Heartbeat"))
        os.kill(sensor.process.pid, signal.SIGKILL)
        killed = wait_for(served, of_action("SensorKilled"))

    assert (found["CloudResource"], found["DeviceName"]) == ("test", os.uname().nodename)
    assert '"overlay facts":' in heartbeat["AdditionalFields"]
    assert killed["Reason"] == "its process ended without saying that it stops"
