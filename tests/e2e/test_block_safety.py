"""End of blocking: by the switch, by the policy and with the sensor, except for rules that fail closed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lab as labs
from driftline.sensor.enforcement import switch
from tests.e2e.conftest import WAIT_SECONDS, start_sensor

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

RULE = """
  - name: {name}
    priority: {priority}
    action: {action}
    failClosed: {closed}
    resourceScope: [{{field: containerName, values: [{name}]}}]
"""
PROBE = "cp /opt/lab/true /tmp/probe; echo xx >> /tmp/probe; /tmp/probe; echo code $?"


def policy_of(action: str) -> str:
    rules = (
        RULE.format(name="open", priority=1, action=action, closed="false"),
        RULE.format(name="closed", priority=2, action=action, closed="true"),
    )
    return "rules:" + "".join(rules)


def is_blocked(container: labs.LabContainer) -> bool:
    return container.sh(PROBE).stdout == b"code 137\n"


def wait_until(container: labs.LabContainer, *, blocked: bool) -> float:
    """Wait until a dropped program is blocked, or not blocked any more; return the seconds that it took."""
    start = time.monotonic()
    while is_blocked(container) != blocked:
        assert time.monotonic() < start + WAIT_SECONDS, f"still {'not ' if blocked else ''}blocked"
    return time.monotonic() - start


def driftline(*arguments: str) -> None:
    subprocess.run((sys.executable, "-m", "driftline.cli", *arguments), check=True, timeout=60)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(policy_of("block"))
    return path


@pytest.fixture(autouse=True)
def armed() -> Iterator[None]:
    """Leave the machine armed and without pinned guards."""
    yield
    switch.disarm("after a test")
    switch.arm()


def test_a_saved_policy_takes_effect_within_two_seconds(
    lab: labs.Lab, container: Callable[..., labs.LabContainer], policy: Path, tmp_path: Path
) -> None:
    policy.write_text(policy_of("alert"))
    started = container("busybox", name="open")
    with start_sensor(lab, tmp_path, "--policy", str(policy)) as sensor:
        started.sh(PROBE)
        sensor.wait_for(lambda row: row["kind"] == "alert" and bool(row["SHA256"]))  # the image is indexed by then
        policy.write_text(policy_of("block"))
        to_block = wait_until(started, blocked=True)
        policy.write_text(policy_of("alert"))
        to_alert = wait_until(started, blocked=False)

    assert to_block < 2
    assert to_alert < 2


def test_a_broken_policy_is_refused_and_the_one_in_force_stays(
    lab: labs.Lab, container: Callable[..., labs.LabContainer], policy: Path, tmp_path: Path
) -> None:
    started = container("busybox", name="open")
    with start_sensor(lab, tmp_path, "--policy", str(policy)) as sensor:
        wait_until(started, blocked=True)
        policy.write_text("rules:\n  - {name: x, priority: 1, action: explode}\n")
        row = sensor.wait_for(lambda row: row.get("ActionType") == "PolicyRefused")
        still = is_blocked(started)

    assert "policy.yaml:2" in row["Reason"]
    assert still


def test_disarm_ends_all_blocking_and_arm_resumes_it(
    lab: labs.Lab, container: Callable[..., labs.LabContainer], policy: Path, tmp_path: Path
) -> None:
    started, closed = container("busybox", name="open"), container("busybox", name="closed")
    with start_sensor(lab, tmp_path, "--policy", str(policy)) as sensor:
        wait_until(started, blocked=True)
        driftline("policy", "disarm")
        sensor.wait_for(lambda row: row.get("ActionType") == "BlockingDisarmed")
        while_off = [is_blocked(started), is_blocked(closed)]
        sensor.wait_for(
            lambda row: row["kind"] == "alert" and row["AdditionalFields"].get("NotBlocked") == "blocking is disarmed"
        )
        driftline("policy", "arm")
        wait_until(started, blocked=True)
        wait_until(closed, blocked=True)

    assert while_off == [False, False]


def last_alive(state: Path) -> float:
    """Return when the running sensor marked its run last; it does so after each check for tampering."""
    (marker,) = (state / "runs").iterdir()
    return marker.stat().st_mtime


def wait_for_checks(state: Path, count: int) -> None:
    for _ in range(count):
        before = last_alive(state)
        while last_alive(state) == before:
            time.sleep(0.1)


def test_removed_containers_are_no_tampering(
    lab: labs.Lab, container: Callable[..., labs.LabContainer], policy: Path, tmp_path: Path
) -> None:
    started = [container("busybox", name=name) for name in ("open", "closed")]
    with start_sensor(lab, tmp_path, "--policy", str(policy)) as sensor:
        for each in started:
            wait_until(each, blocked=True)
            each.stop()
        # A missing entry counts as tampering at the second check that misses it.
        wait_for_checks(tmp_path / "state", 3)

    assert [row["Reason"] for row in sensor.rows() if row.get("ActionType") == "SensorTampered"] == []


@pytest.fixture
def killed(
    lab: labs.Lab, container: Callable[..., labs.LabContainer], policy: Path, tmp_path: Path
) -> tuple[labs.LabContainer, labs.LabContainer]:
    """Start a container for each rule, and kill the sensor once dropped programs are blocked in both."""
    started = container("busybox", name="open"), container("busybox", name="closed")
    command = (
        sys.executable, "-m", "driftline.cli", "sensor", "--output", "none", "--runtime", str(lab.socket),
        "--images", str(tmp_path / "images"), "--listen", "", "--policy", str(policy),
        "--state", str(tmp_path / "state"),
    )  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as sensor:
        for each in started:
            wait_until(each, blocked=True)
        os.kill(sensor.pid, signal.SIGKILL)
    return started


def test_blocking_ends_with_a_killed_sensor_except_for_fail_closed_rules(
    killed: tuple[labs.LabContainer, labs.LabContainer],
) -> None:
    fails_open, fails_closed = killed

    assert not is_blocked(fails_open)
    assert is_blocked(fails_closed)


def test_the_next_sensor_reports_a_killed_one(
    killed: tuple[labs.LabContainer, labs.LabContainer], lab: labs.Lab, policy: Path, tmp_path: Path
) -> None:
    reported = []
    for _ in range(2):
        with start_sensor(lab, tmp_path, "--policy", str(policy)) as sensor:
            sensor.wait_for(lambda row: row.get("ActionType") == "SensorStarted")
        reported.append([row["ActionType"] for row in sensor.rows() if row["kind"] == "health"][:2])

    assert reported == [["SensorKilled", "SensorStarted"], ["SensorStarted", "SensorStopped"]]


def test_a_pod_that_starts_while_the_sensor_is_dead_is_under_a_rule_that_fails_closed(
    killed: tuple[labs.LabContainer, labs.LabContainer],
    new_pod: Callable[..., labs.Pod],
    lab: labs.Lab,
    policy: Path,
    tmp_path: Path,
) -> None:
    late = new_pod("late").container("busybox")
    while_dead, image_program = is_blocked(late), late.sh("/bin/busybox true && echo ran").stdout
    service = subprocess.run(
        ("unshare", "--mount", "sh", "-c", f"cp /bin/true {tmp_path}/own && {tmp_path}/own"), check=False
    ).returncode
    with start_sensor(lab, tmp_path, "--policy", str(policy)):
        wait_until(late, blocked=False)  # its name is not the rule's

    assert (while_dead, image_program) == (True, b"ran\n")
    assert service == 0


def test_guards_of_a_killed_sensor_can_be_disarmed(killed: tuple[labs.LabContainer, labs.LabContainer]) -> None:
    driftline("policy", "disarm")

    assert not is_blocked(killed[1])


def test_the_next_sensor_replaces_the_guards_of_a_killed_one(
    killed: tuple[labs.LabContainer, labs.LabContainer], lab: labs.Lab, policy: Path, tmp_path: Path
) -> None:
    policy.write_text(policy_of("alert"))
    with start_sensor(lab, tmp_path, "--policy", str(policy)):
        wait_until(killed[1], blocked=False)


def test_a_restart_leaves_no_gap_in_fail_closed_blocking(
    lab: labs.Lab, container: Callable[..., labs.LabContainer], policy: Path, tmp_path: Path
) -> None:
    fails_open, fails_closed = container("busybox", name="open"), container("busybox", name="closed")
    with start_sensor(lab, tmp_path, "--policy", str(policy)):
        wait_until(fails_open, blocked=True)
        wait_until(fails_closed, blocked=True)
    between = [is_blocked(fails_open), is_blocked(fails_closed)]
    with start_sensor(lab, tmp_path, "--policy", str(policy)):
        after = is_blocked(fails_closed)

    assert between == [False, True]
    assert after
