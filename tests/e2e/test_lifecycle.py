"""Containers that start, end or ran before the sensor; and the commands of the sensor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import yaml

import lab as labs
from driftline import cluster
from tests.e2e.conftest import POLICY, Row, Sensor, start_sensor

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

OWNERS = ("quiet", "loud")
DRIFT = "cp /opt/lab/true /tmp/x; /tmp/x; true"  # or the shell would become /tmp/x


def driftline(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        (sys.executable, "-m", "driftline.cli", *arguments), capture_output=True, timeout=60, check=False
    )


def alert_of(container: labs.LabContainer) -> Callable[[Row], bool]:
    return lambda row: row["kind"] == "alert" and row["ContainerId"] == container.id


def test_an_alert_names_file_container_and_processes(
    sensor: Sensor, container: Callable[..., labs.LabContainer]
) -> None:
    started = container("busybox", name="shop")
    started.sh(DRIFT)
    row = sensor.wait_for(alert_of(started))

    assert row["ClusterName"] == "test"
    assert row["NodeName"] == os.uname().nodename
    assert (row["KubernetesNamespace"], row["ContainerName"]) == ("shop", "shop")
    assert row["PodLabels"]["app"] == "web"
    assert row["ContainerImageName"] == "localhost/lab/busybox:1"
    assert row["ImageDigest"].startswith("sha256:")
    assert row["ProcessCommandLine"] == "/tmp/x"
    assert row["AccountName"] == "root"
    assert row["ProcessTree"][0]["command_line"] == f"/bin/sh -c '{DRIFT}'"
    assert "was written at" in row["Description"] and "`cp`" in row["Description"]
    assert (row["PolicyRule"], row["PolicyAction"], row["Severity"]) == ("everywhere", "alert", "High")


def test_a_container_that_ran_before_the_sensor_is_named(
    lab: labs.Lab, container: Callable[..., labs.LabContainer], tmp_path: Path
) -> None:
    started = container("busybox")
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    with start_sensor(lab, tmp_path, "--policy", str(policy)) as sensor:
        started.sh("touch /opt/lab/uid; /opt/lab/uid; echo true > /tmp/s; sh /tmp/s; " + DRIFT)
        row = sensor.wait_for(lambda row: alert_of(started)(row) and row["FileName"] == "x")

    assert row["KubernetesPodName"].startswith("test-a-container-that-ran-before")
    names = [row["FileName"] for row in sensor.rows() if alert_of(started)(row)]
    assert sorted(names) == ["s", "x"]


def test_container_that_lives_50_ms(sensor: Sensor, container: Callable[..., labs.LabContainer]) -> None:
    started = container("busybox", name="brief", command=("/bin/sh", "-c", DRIFT))
    row = sensor.wait_for(alert_of(started))

    assert (row["ContainerName"], row["FolderPath"], row["FileName"]) == ("brief", "/tmp", "x")
    assert row["ContainerImageName"] == "localhost/lab/busybox:1"


def test_a_containerd_container_without_kubernetes(sensor: Sensor, lab: labs.Lab) -> None:
    started = lab.plain_container("busybox")
    try:
        started.sh(DRIFT)
        row = sensor.wait_for(lambda row: row["kind"] == "alert" and row["ContainerId"] == started.id)
    finally:
        started.stop()

    assert (row["FileName"], row["DriftContent"]) == ("x", "relocated")
    assert row["ContainerImageName"] == "localhost/lab/busybox:1"


def test_containers_are_named_when_the_runtime_becomes_available(
    lab: labs.Lab, container: Callable[..., labs.LabContainer], tmp_path: Path
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    started, link = container("busybox"), tmp_path / "late.sock"
    command = (
        sys.executable, "-m", "driftline.cli", "sensor", "--output", "json", "--policy", tmp_path / "policy.yaml",
        "--runtime", link, "--images", tmp_path / "images", "--listen", "", "--state", tmp_path / "state",
    )  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        sensor = Sensor(process)
        sensor.wait_for(lambda row: row["kind"] == "health")
        link.symlink_to(lab.socket)
        named = None
        while named is None:
            started.sh(DRIFT)
            time.sleep(1)
            named = next((row for row in sensor.rows() if alert_of(started)(row) and row["ContainerImageName"]), None)
        process.terminate()
        process.wait(30)
        sensor.join()

    assert named["ContainerImageName"] == "localhost/lab/busybox:1"


MIRROR = "localhost/aaa/mirror:1"  # sorts before the lab's name: containerd 1.6 reports the first


def test_a_rule_for_another_name_of_the_image_does_not_silence_it(
    lab: labs.Lab,
    second_name: Callable[[str, str], str],
    container: Callable[..., labs.LabContainer],
    tmp_path: Path,
) -> None:
    policy = tmp_path / "policy.yaml"
    scope = f"resourceScope: [{{field: imageName, values: ['{second_name('busybox', MIRROR)}']}}]"
    silent = f"  - {{name: mirror, priority: 1, action: ignore, {scope}}}\n"
    policy.write_text(f"rules:\n{silent}  - {{name: everywhere, priority: 2, action: alert}}\n")
    started = container("busybox")
    with start_sensor(lab, tmp_path, "--policy", str(policy)) as sensor:
        started.sh(DRIFT)
        row = sensor.wait_for(alert_of(started))

    assert row["PolicyRule"] == "everywhere"
    assert row["AdditionalFields"]["ImageNames"] == [MIRROR, "localhost/lab/busybox:1"]
    assert f"ambiguous: the runtime does not tell which of {MIRROR}, localhost/lab/busybox:1" in row["Description"]


def is_decided(container: labs.LabContainer, row: Row) -> bool:
    return row.get("ContainerId") == container.id and row["PolicyRule"] != ""


def test_a_rule_by_digest_and_owner_applies_under_every_name(
    lab: labs.Lab, second_name: Callable[[str, str], str], new_pod: Callable[..., labs.Pod], tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    digest = cluster.image_layers(second_name("busybox", MIRROR), address=str(lab.socket)).digest
    scope = f"[{{field: imageDigest, values: ['{digest}']}}, {{field: ownerName, values: [quiet]}}]"
    rule = f"  - {{name: digest, priority: 1, action: ignore, resourceScope: {scope}}}\n"
    policy.write_text(f"rules:\n{rule}  - {{name: everywhere, priority: 2, action: alert}}\n")
    pods = [new_pod(f"{owner}-7d4b9c5f6d-x2x9q", labels={"pod-template-hash": "7d4b9c5f6d"}) for owner in OWNERS]
    with start_sensor(lab, tmp_path, "--policy", str(policy)) as sensor:
        rules = []
        for pod in pods:
            started = pod.container("busybox")
            started.sh(DRIFT)
            row = sensor.wait_for(partial(is_decided, started))
            rules.append((row["KubernetesResource"], row["PolicyRule"], row["PolicyAction"]))

    assert rules == [("Deployment/quiet", "digest", "ignore"), ("Deployment/loud", "everywhere", "alert")]


def test_the_end_of_a_process_is_reported(sensor: Sensor, container: Callable[..., labs.LabContainer]) -> None:
    started = container("busybox")
    started.sh("sh -c 'exit 7'")
    row = sensor.wait_for(lambda row: row.get("ContainerId") == started.id and row.get("ExitCode") == 7)

    assert row["ActionType"] == "ProcessEnded"


def test_the_default_policy_alerts_on_kube_system_only(
    lab: labs.Lab, new_pod: Callable[..., labs.Pod], tmp_path: Path
) -> None:
    with start_sensor(lab, tmp_path) as sensor:
        system = new_pod("dns", namespace="kube-system").container("busybox")
        other = new_pod("shop", namespace="shop").container("busybox")
        other.sh(DRIFT)
        system.sh(DRIFT)
        sensor.wait_for(alert_of(system))
        event = sensor.wait_for(lambda row: row.get("ContainerId") == other.id and row.get("Drift") == "yes")

    assert (event["PolicyRule"], event["PolicyAction"]) == ("Default", "ignore")
    assert not [row for row in sensor.rows() if alert_of(other)(row)]


def test_alerts_and_events_are_read_back(lab: labs.Lab, new_pod: Callable[..., labs.Pod], tmp_path: Path) -> None:
    store = tmp_path / "store"
    (tmp_path / "policy.yaml").write_text(POLICY)
    arguments = ("--policy", str(tmp_path / "policy.yaml"), "--store", str(store))
    with start_sensor(lab, tmp_path, *arguments) as sensor:
        container = new_pod("readback").container("busybox")
        container.sh(DRIFT)
        told = sensor.wait_for(alert_of(container))
        deadline = time.monotonic() + 10
        while not (found := json.loads(driftline("alerts", "--store", store, "--output", "json").stdout)):
            assert time.monotonic() < deadline
    after = json.loads(driftline("alerts", "--store", store, "--output", "json").stdout)
    shown = driftline("alerts", "show", told["AlertId"], "--store", store).stdout.decode()
    events = yaml.safe_load(driftline("events", "--store", store, "--drift", "yes", "--output", "yaml").stdout)
    none = json.loads(driftline("alerts", "--store", store, "--namespace", "other", "--output", "json").stdout)

    assert [row["AlertId"] for row in found] == [row["AlertId"] for row in after] == [told["AlertId"]]
    told_columns = {name for name, value in told.items() if value not in ("", None, {}) and name != "kind"}
    assert told_columns <= set(found[0])
    assert "/tmp/x" in shown and "└ /tmp/x" in shown
    assert [row["FileName"] for row in events] == ["x"]
    assert none == []


def test_alerts_are_followed(lab: labs.Lab, new_pod: Callable[..., labs.Pod], tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    store = tmp_path / "store"
    with start_sensor(lab, tmp_path, "--policy", str(tmp_path / "policy.yaml"), "--store", str(store)):
        command = (sys.executable, "-m", "driftline.cli", "alerts", "--store", store, "--follow", "--output", "json")
        with subprocess.Popen(command, stdout=subprocess.PIPE) as follower:
            new_pod("followed").container("busybox").sh(DRIFT)
            assert follower.stdout
            line = follower.stdout.readline()
            follower.kill()

    assert json.loads(line)["FileName"] == "x"


def test_status_and_metrics_include_losses(lab: labs.Lab, tmp_path: Path) -> None:
    process = subprocess.Popen(
        (
            sys.executable, "-m", "driftline.cli", "sensor", "--runtime", str(lab.socket), "--output", "none",
            "--images", tmp_path, "--listen", "127.0.0.1:0",
        ),
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr
    try:
        address = process.stderr.readline().split()[-1].decode()
        shown = driftline("status", address).stdout.decode()
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            metrics = answer.read().decode()
    finally:
        process.terminate()
        process.communicate(timeout=30)

    assert "kernel-exec-ring-full: 0" in shown
    assert "overlay facts: verified by the self-test" in shown
    assert 'driftline_lost_total{reason="kernel-exec-ring-full"} 0.0' in metrics


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (("alerts", "--store", "/nowhere"), 1, "there is no store at /nowhere"),
        (("events", "--store", "/nowhere", "--since", "yesterday"), 2, "--since: expected a span like 90s"),
        (("events", "--table", "Nothing"), 2, "--table: expected one of CloudProcessEvents"),
        (("status", "127.0.0.1:1"), 1, "no sensor answers on 127.0.0.1:1"),
        (("sensor", "--policy", "/nowhere"), 2, "cannot read the policy /nowhere"),
        (("sensor", "--listen", "x"), 2, "--listen: expected HOST:PORT, got 'x'"),
        (("scan", "nothing-there", "--runtime", "/nowhere"), 1, "/nowhere"),
    ],
)
def test_invalid_input_is_explained(arguments: tuple[str, ...], code: int, expected: str) -> None:
    done = driftline(*arguments)

    assert expected in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert done.returncode == code


def test_without_root_the_sensor_names_its_requirements(tmp_path: Path) -> None:
    command = ("setpriv", "--reuid", "65534", "--clear-groups", sys.executable, "-m", "driftline.cli", "sensor")
    done = subprocess.run((*command, "--images", tmp_path), capture_output=True, timeout=60, check=False)

    assert "the sensor must run as root" in done.stderr.decode()
    assert done.returncode == 1


def test_without_a_runtime_containers_have_no_names(tmp_path: Path) -> None:
    command = (
        sys.executable,
        "-m",
        "driftline.cli",
        "sensor",
        "--runtime",
        "/nowhere",
        "--images",
        tmp_path,
        "--listen",
        "",
        "--state",
        tmp_path / "state",
    )
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    assert process.stderr
    lines = [process.stderr.readline().decode() for _ in range(2)]
    process.terminate()
    process.communicate(timeout=30)

    assert "sensor started" in lines[0]
    assert "containers have no names" in lines[1]
    assert process.returncode == 0


def test_a_closed_standard_output_stops_the_sensor(lab: labs.Lab, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    command = (
        sys.executable, "-m", "driftline.cli", "sensor", "--output", "json", "--runtime", str(lab.socket),
        "--images", tmp_path / "images", "--listen", "", "--state", tmp_path / "state",
    )  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        process.stdout.close()
        lab.plain_container("busybox").stop()

        assert process.wait(30) == 0
