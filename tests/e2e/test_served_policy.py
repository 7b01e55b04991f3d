"""A policy from the server's API to a blocked process in a container, and back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lab as labs
from driftline.sensor.policy.cache import FILE
from tests.e2e.conftest import start_sensor
from tests.server import joining, serving

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

RULE = """
rules:
  - name: {0}
    priority: 1
    action: {0}
    resourceScope: [{{field: podName, values: [{1}]}}]
"""
DROP = "rm -f /tmp/new; cp /opt/lab/true /tmp/new; echo x >> /tmp/new; /tmp/new && echo it ran; true"


def runs(served: serving.Served) -> dict[str, Any]:
    [found] = served.admin.get("/policies/sensors").json()["items"] or [{}]
    return dict(found)


def ran(container: labs.LabContainer) -> bool:
    """Drop a program whose content the image does not have, and run it; return whether it ran."""
    return b"it ran" in container.sh(DROP).stdout


def test_a_policy_of_the_server_blocks_until_it_is_rolled_back(lab: labs.Lab, pod: labs.Pod, tmp_path: Path) -> None:
    def put(action: str) -> None:
        served.admin.put("/policies/test", json={"text": RULE.format(action, pod.name)}).raise_for_status()

    def is_in_force(version: int) -> Callable[[], bool]:
        return lambda: (runs(served).get("version"), runs(served).get("current")) == (version, True)

    state = tmp_path / "state"
    container = pod.container("busybox")
    with serving.serve(tmp_path / "server", sensors=True) as served:
        token = joining.join_token(served, "test")
        with start_sensor(lab, tmp_path, "--server", served.url, "--join", token, "--state", str(state)) as sensor:
            put("alert")
            serving.wait_until(is_in_force(1))
            assert ran(container)

            put("block")
            serving.wait_until(is_in_force(2))
            serving.wait_until(lambda: not ran(container))

            (state / FILE).write_text("rules: []")
            tampered = sensor.wait_for(lambda row: row.get("ActionType") == "SensorTampered")
            assert not ran(container)

            served.admin.post("/policies/test/rollback", json={"version": 1}).raise_for_status()
            serving.wait_until(is_in_force(3))
            serving.wait_until(lambda: ran(container))

    assert tampered["Reason"] == f"{state / FILE} is not as the server gave it"
    assert runs_without_server(lab, tmp_path, state) == "test:3"


def runs_without_server(lab: labs.Lab, folder: Path, state: Path) -> str:
    """Start the sensor without a server; return the label of the policy that it reports."""
    with start_sensor(lab, folder, "--server", "https://localhost:9", "--state", str(state)) as sensor:
        row = sensor.wait_for(lambda row: row.get("ActionType") == "SensorStarted")
    assert row["NodeName"] == os.uname().nodename
    return str(row["AdditionalFields"]["Policy"])
