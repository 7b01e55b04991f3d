"""A sensor and a server: executions on the node and the end of the sensor arrive in the server's store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import lab as labs
from driftline.store.process.reader import open_reader
from driftline.store.query.row_query import Filter, RowQuery
from tests.e2e.conftest import POLICY, start_sensor
from tests.server import serving
from tests.server.gateways import Served

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

DRIFT = "cp /opt/lab/true /tmp/x; /tmp/x; true"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "server").mkdir()
    running = Served(tmp_path / "server")
    yield running
    running.stop()


def wait_for(served: Served, query: RowQuery) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    with open_reader(served.directory / "store") as reader:
        while True:
            rows = reader.select(query).to_pylist()
            if rows:
                return dict(rows[0])
            assert time.monotonic() < deadline
            time.sleep(0.05)


def of_action(action: str) -> RowQuery:
    return RowQuery(table="SensorHealth", where=[Filter("ActionType", "=", action)])


def test_an_alert_and_the_kill_of_the_sensor_arrive(
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
        found = wait_for(served, RowQuery(table="AlertEvidence", where=[container_filter]))
        heartbeat = wait_for(served, of_action("Heartbeat"))
        os.kill(sensor.process.pid, signal.SIGKILL)
        killed = wait_for(served, of_action("SensorKilled"))

    assert (found["CloudResource"], found["DeviceName"]) == ("test", os.uname().nodename)
    assert '"overlay facts":' in heartbeat["AdditionalFields"]
    assert killed["Reason"] == "its process ended without saying that it stops"


def test_a_sensor_enrols_at_a_full_server_and_its_alert_opens(lab: labs.Lab, pod: labs.Pod, tmp_path: Path) -> None:
    wanted = f"Relocated image program ran in {pod.name}: x"
    directory = tmp_path / "server"
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    process = serving.start(directory, "--set", "sensor_names=localhost")
    try:
        setup = serving.setup_token(process)
        url = f"https://localhost:{(directory / 'port').read_text()}"
        with httpx.Client(base_url=f"{url}/api/v1", verify=False, timeout=30) as admin:
            serving.wait_until(lambda: is_up(admin))
            body = {"token": setup, "name": "root", "password": serving.PASSWORD}
            admin.headers["Authorization"] = f"Bearer {admin.post('/setup', json=body).json()['token']}"
            command = (sys.executable, "-m", "driftline.cli", "fleet", "token", "test", "--data", directory / "data")
            token = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
            joining = ("--policy", str(policy), "--server", url, "--join", token, "--state", str(tmp_path / "state"))
            started = pod.container("busybox")
            with start_sensor(lab, tmp_path, *joining):
                started.sh(DRIFT)
                serving.wait_until(lambda: wanted in titles(admin), seconds=60)
    finally:
        serving.stop(process)


def titles(client: httpx.Client) -> list[str]:
    return [alert["title"] for alert in client.get("/alerts").json()["items"]]


def is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/enrol/authority").status_code == 200
    except httpx.TransportError:
        return False
