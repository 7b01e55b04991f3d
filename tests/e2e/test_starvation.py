"""Hundreds of cgroups that no runtime knows change nothing for the containers that it knows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lab as labs
from driftline.sensor.enforcement import switch
from tests.e2e.conftest import Row, Sensor, start_sensor
from tests.kernel.cgroups import UNIFIED, Cgroups

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

UNKNOWN = 400
POLICY = """
rules:
  - {name: kept, priority: 1, action: block, resourceScope: [{field: containerName, values: [kept]}]}
  - {name: everywhere, priority: 2, action: alert}
"""
# The rule needs the container's name, and fails open until the runtime has told it.
TRIED_FOR_SECONDS = """
cp /opt/lab/true /tmp/x; echo xx >> /tmp/x
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20
do /tmp/x; code=$?; [ $code = 137 ] && break; sleep 0.2; done
echo code $code
"""
DRIFT = "cp /opt/lab/true /tmp/x; echo xx >> /tmp/x; /tmp/x; echo code $?"


@pytest.fixture
def crowded(lab: labs.Lab, tmp_path: Path) -> Iterator[Sensor]:
    """A sensor on a node where somebody has made many cgroups with names of containers."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    switch.arm()
    v1 = Path("/sys/fs/cgroup/freezer")
    with (
        start_sensor(lab, tmp_path, "--policy", str(tmp_path / "policy.yaml")) as sensor,
        Cgroups(v1 if v1.is_dir() else UNIFIED) as cgroups,
    ):
        for number in range(UNKNOWN):
            cgroups.make(f"crowd/{number:064x}")
        yield sensor
        for number in range(UNKNOWN):
            cgroups.make(f"crowd/more/{number:064x}")


def test_new_containers_are_named_and_alert_at_once(
    crowded: Sensor, container: Callable[..., labs.LabContainer]
) -> None:
    started = [container("busybox", name=f"web-{number}", command=("/bin/sh", "-c", DRIFT)) for number in range(10)]
    since = time.monotonic()
    alerts = [crowded.wait_for(alert_of(each)) for each in started]

    assert [alert["ContainerName"] for alert in alerts] == [f"web-{number}" for number in range(10)]
    assert time.monotonic() - since < 10


def test_a_new_container_is_under_its_rules_at_once(crowded: Sensor, new_pod: Callable[..., labs.Pod]) -> None:
    first = new_pod("first").container("busybox", name="kept")
    first.sh(DRIFT)
    crowded.wait_for(lambda row: alert_of(first)(row) and bool(row["SHA256"]))  # the image is indexed by then
    pods = [new_pod(f"kept-{number}") for number in range(5)]
    codes = [pod.container("busybox", name="kept").sh(TRIED_FOR_SECONDS).stdout for pod in pods]

    assert codes == [b"code 137\n"] * 5


def alert_of(container: labs.LabContainer) -> Callable[[Row], bool]:
    return lambda row: bool(row["kind"] == "alert" and row["ContainerId"] == container.id)


@pytest.mark.parametrize("moved_to", ["crowd/" + "c" * 64, "crowd-of-the-node"])
def test_a_process_that_leaves_its_cgroup_stays_in_its_container(
    sensor: Sensor, container: Callable[..., labs.LabContainer], moved_to: str
) -> None:
    name = f"moved-{len(moved_to)}"
    waits = f"mkfifo /tmp/go; read line < /tmp/go; cp /opt/lab/true /tmp/{name}; /tmp/{name}; sleep 60"
    started = container("busybox", command=("/bin/sh", "-c", waits))
    sensor.wait_for(lambda row: row.get("ContainerId") == started.id)
    with Cgroups() as cgroups:
        (cgroups.make(moved_to) / "cgroup.procs").write_text(str(started.pid))
        started.sh("echo > /tmp/go")
        alert = sensor.wait_for(lambda row: row["kind"] == "alert" and row["FileName"] == name)
        started.stop()

    assert (alert["ContainerId"], alert["ContainerName"]) == (started.id, "web")
