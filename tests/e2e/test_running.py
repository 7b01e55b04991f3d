"""Programs, libraries and scripts that run when the sensor starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import lab as labs
from tests.e2e.conftest import POLICY, Row, Sensor, start_sensor

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

# A dropped program, one that is deleted by now, a child that was only forked, a dropped library, a script, and one by a
# relative path through a link.
RUNNING = """
exec > /dev/null 2>&1
cd /tmp
cp /bin/sleep x; ./x 1000 &
cp /bin/sleep y; echo >> y; ./y 1000 &
cp /bin/bash z; mkfifo pipe; ./z -c '(read line < pipe; true) & wait' &
cp /opt/lab/libgreet.so lib.so; LD_PRELOAD=/tmp/lib.so sleep 1001 &
printf 'sleep 1002; true' > script; sh script &
mkdir real; printf 'import time; time.sleep(1003)' > real/linked; ln -s real link; python3 link/linked &
sleep 1
rm y
"""
FOUND = {
    ("ProcessFound", "/tmp", "x", "relocated"),
    ("ProcessFound", "/tmp", "y", "added"),
    ("ProcessFound", "/tmp", "z", "relocated"),
    ("LibraryFound", "/tmp", "lib.so", "relocated"),
    ("ScriptFound", "/tmp", "script", "added"),
    ("ScriptFound", "/tmp/real", "linked", "added"),
}


def rows_of(container: labs.LabContainer, sensor: Sensor, kind: str) -> list[Row]:
    return [row for row in sensor.rows() if row["kind"] == kind and row["ContainerId"] == container.id]


def action_of(alert: Row, events: list[Row]) -> tuple[str, str, str, str]:
    """Return action type, folder, name and content of the event that an alert is about."""
    [event] = [
        row
        for row in events
        if (row["ProcessKey"], row["FileName"]) == (alert["ProcessKey"], alert["FileName"])
        and row["ActionType"].endswith("Found")
    ]
    return event["ActionType"], event["FolderPath"], event["FileName"], event["DriftContent"]


def test_what_runs_at_the_start_is_found_once(
    lab: labs.Lab, container: Callable[..., labs.LabContainer], tmp_path: Path
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    started = container("glibc")
    started.sh(RUNNING)
    with start_sensor(lab, tmp_path, "--policy", str(tmp_path / "policy.yaml")) as sensor:
        started.sh("cp /bin/true /tmp/last; /tmp/last; true")
        sensor.wait_for(lambda row: row["kind"] == "alert" and row["FileName"] == "last")
    alerts = [row for row in rows_of(started, sensor, "alert") if row["FileName"] != "last"]
    events = rows_of(started, sensor, "event")

    assert sorted(action_of(alert, events) for alert in alerts) == sorted(FOUND)
    innocent = {row["FileName"] for row in events if row["ActionType"] == "ProcessFound" and row["Drift"] == "no"}
    assert innocent >= {"dash", "sleep"}


def test_what_runs_at_the_start_is_not_killed(
    lab: labs.Lab, container: Callable[..., labs.LabContainer], tmp_path: Path
) -> None:
    (tmp_path / "policy.yaml").write_text("rules:\n  - {name: all, priority: 1, action: block}\n")
    started = container("glibc")
    started.sh("cp /bin/sleep /tmp/x; /tmp/x 1000 > /dev/null 2>&1 &")
    with start_sensor(lab, tmp_path, "--policy", str(tmp_path / "policy.yaml")) as sensor:
        alert = sensor.wait_for(lambda row: row["kind"] == "alert" and row["ContainerId"] == started.id)
        runs = started.sh("ps -e -o args=").stdout

    assert b"/tmp/x 1000" in runs
    assert alert["AdditionalFields"]["NotBlocked"] == "it ran before the sensor started"
