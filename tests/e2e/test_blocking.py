"""Block mode in containers of the lab: blocked and permitted executions.

A payload writes to a file from its first instruction on (lab/payloads/mark.c): an empty file proves that no
instruction of it ran.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lab as labs
from lab import HostMount, volumes
from tests.e2e.conftest import WAIT_SECONDS, Row, Sensor, start_sensor

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

POLICY = """
rules:
  - name: block
    priority: 1
    action: block
    severity: High
    resourceScope: [{field: containerName, values: [open]}]
    allow: [{name: updater}, {path: /opt/agent/*}, {path: /tmp/exact}]
  - name: closed
    priority: 2
    action: block
    failClosed: true
    resourceScope: [{field: containerName, values: [closed]}]
  - name: moved image files are all right
    priority: 3
    action: block
    resourceScope: [{field: containerName, values: [lenient]}]
    allow: [{relocated: true}]
  - name: the first process too
    priority: 4
    action: block
    firstProcess: true
    resourceScope: [{field: containerName, values: [first]}]
  - name: scripts alone
    priority: 5
    action: block
    subjects: [script]
    resourceScope: [{field: containerName, values: [scripts]}]
  - name: the rest
    priority: 6
    action: alert
"""

# A program whose content the image does not have, and which writes to /data/ran.
DROP = "cp /opt/lab/mark /tmp/new; echo x >> /tmp/new; "
RAN = "; cat /data/ran 2>/dev/null; true"


@pytest.fixture(scope="module")
def blocking(lab: labs.Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sensor]:
    folder = tmp_path_factory.mktemp("blocking")
    policy = folder / "policy.yaml"
    policy.write_text(POLICY)
    with start_sensor(lab, folder, "--policy", str(policy)) as running:
        yield running


class Blocked:
    """A container in block mode."""

    def __init__(self, container: labs.LabContainer, sensor: Sensor) -> None:
        self.container = container
        self._sensor = sensor

    def run(self, script: str) -> str:
        """Run a script; return its standard output, without the shell's messages about killed children."""
        return self.container.sh(script).stdout.decode()

    def wait_in_force(self) -> None:
        """Wait until the image is indexed: before that, a new file may be image content."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self.run("cp /opt/lab/true /tmp/.probe; echo xx >> /tmp/.probe; /tmp/.probe; echo $?") == "0\n":
            assert time.monotonic() < deadline, "blocking did not come into force"

    def alert(self, name: str) -> Row:
        """Return the alert about a file."""
        return self._sensor.wait_for(
            lambda row: row["kind"] == "alert" and row["ContainerId"] == self.container.id and row["FileName"] == name
        )

    def event(self, name: str) -> Row:
        """Return the event of a file with a verdict."""
        return self._sensor.wait_for(
            lambda row: (
                row["kind"] == "event"
                and row["ContainerId"] == self.container.id
                and row["FileName"] == name
                and bool(row["DriftContent"])
            )
        )


@pytest.fixture
def start(container: Callable[..., labs.LabContainer], blocking: Sensor) -> Callable[..., Blocked]:
    """Start a container by the name that selects its rule: ``start("open")``."""

    def start(name: str, image: str = "glibc", **options: object) -> Blocked:
        started = container(image, name=name, **options)
        found = Blocked(started, blocking)
        if name in ("open", "lenient", "first", "closed"):
            found.wait_in_force()
        return found

    return start


BLOCKED_IN_KERNEL = {
    "dropped program": DROP + "/tmp/new /data/ran",
    "image program under another name": "cp /opt/lab/mark /tmp/moved; /tmp/moved /data/ran",
    "memfd": "/opt/lab/memexec /opt/lab/mark payload /data/ran",
    "deleted before exec": DROP + "/opt/lab/delexec /tmp/new /data/ran",
    "by file descriptor": DROP + "/opt/lab/fdexec /tmp/new /data/ran",
    "overwritten with another size": "cat /opt/lab/mark > /usr/bin/stat; /usr/bin/stat /data/ran",
    "renamed": "mv /opt/lab/mark /opt/lab/m; /opt/lab/m /data/ran",
    "through ld.so": "cp /opt/lab/dynamic /tmp/dyn; /lib64/ld-linux-x86-64.so.2 /tmp/dyn && echo ran > /data/ran",
    "script": "printf '#!/bin/sh\\necho ran > /data/ran\\n' > /tmp/s; chmod +x /tmp/s; /tmp/s",
    "script given to sh": "echo 'echo ran > /data/ran' > /tmp/s; sh -e /tmp/s",
    "script given to python": 'echo \'open("/data/ran", "w").write("ran")\' > /tmp/s.py; python3 /tmp/s.py',
    "library": "cp /opt/lab/libgreet.so /tmp/l.so; LIBGREET=1 LD_PRELOAD=/tmp/l.so /opt/lab/dynamic > /data/ran",
}


@pytest.mark.parametrize("case", BLOCKED_IN_KERNEL)
def test_content_that_is_certainly_not_the_images_runs_no_instruction(start: Callable[..., Blocked], case: str) -> None:
    assert start("open").run(f"{BLOCKED_IN_KERNEL[case]}{RAN}") == ""


def test_the_alert_names_the_means_of_blocking(start: Callable[..., Blocked]) -> None:
    blocked = start("open")
    said = blocked.run(DROP + "/tmp/new /data/ran; echo code $?")
    alert = blocked.alert("new")

    assert said == "code 137\n"
    assert (alert["PolicyRule"], alert["PolicyAction"], alert["BlockedBy"]) == ("block", "block", "SIGKILL at exec")
    assert alert["Title"].startswith("Program not in the image was blocked in ")
    assert alert["Description"].endswith(". It was stopped by SIGKILL at exec.")
    assert alert["DriftContent"] == "added"


@pytest.mark.parametrize(
    ("script", "name", "way"),
    [
        ("echo true > /tmp/s; sh /tmp/s", "s", "SIGKILL at open"),
        ("cp /opt/lab/libgreet.so /tmp/l.so; LD_PRELOAD=/tmp/l.so /opt/lab/dynamic", "l.so", "SIGKILL at mmap"),
    ],
)
def test_alerts_of_scripts_and_libraries_name_the_means_of_blocking(
    start: Callable[..., Blocked], script: str, name: str, way: str
) -> None:
    blocked = start("open")
    blocked.run(script)

    assert blocked.alert(name)["BlockedBy"] == way


def test_programs_on_memory_backed_volumes_are_blocked(start: Callable[..., Blocked], pod: labs.Pod) -> None:
    mount = HostMount(volumes.memory_dir(pod.uid, "scratch"), "/scratch")

    assert start("open", mounts=[mount]).run("cp /opt/lab/mark /scratch/m; /scratch/m /data/ran" + RAN) == ""


PERMITTED = {
    "image program": "/opt/lab/mark /data/ran",
    "copied up by chmod": "chmod 711 /opt/lab/mark; /opt/lab/mark /data/ran",
    "put back in its place": "cp /opt/lab/mark /tmp/m; mv /tmp/m /opt/lab/mark; /opt/lab/mark /data/ran",
    "renamed and back": "mv /opt/lab/mark /opt/lab/x; mv /opt/lab/x /opt/lab/mark; /opt/lab/mark /data/ran",
    "allowed by name": "cp /opt/lab/mark /tmp/updater; /tmp/updater /data/ran",
    "allowed with its folder": "mkdir -p /opt/agent/a/b; cp /opt/lab/mark /opt/agent/a/b/m; /opt/agent/a/b/m /data/ran",
    "allowed by path": "cp /opt/lab/mark /tmp/exact; /tmp/exact /data/ran",
}


@pytest.mark.parametrize("case", PERMITTED)
def test_image_content_and_allowed_programs_run(start: Callable[..., Blocked], case: str) -> None:
    assert start("open").run(PERMITTED[case] + RAN) == "xx"


def test_data_read_by_busybox_applets_is_no_script(start: Callable[..., Blocked]) -> None:
    assert start("open", "busybox").run("echo data > /tmp/d; cat /tmp/d; busybox wc -l /tmp/d") == "data\n1 /tmp/d\n"


@pytest.mark.parametrize("command", ["sh /tmp/s", "busybox sh /tmp/s", "ash -x /tmp/s"])
def test_script_arguments_of_busybox_shells_are_blocked(start: Callable[..., Blocked], command: str) -> None:
    assert start("open", "busybox").run(f"echo echo ran > /tmp/s; {command}; true") == ""


def test_content_that_only_user_space_can_verify_is_killed_after_its_verdict(start: Callable[..., Blocked]) -> None:
    # Another content of the same size in the same file: until it is read, it may be image content.
    blocked = start("open")
    size = "$(stat -c %s /usr/bin/tail)"
    tamper = f"head -c {size} /usr/bin/tail > /tmp/s; printf x | dd of=/tmp/s bs=1 seek=$(({size}-1)) conv=notrunc"
    said = blocked.run(f"{tamper}; cat /tmp/s > /usr/bin/tail; tail -f /dev/null; echo code $?")
    first = blocked.alert("tail")
    again = blocked.run("tail -f /dev/null; echo code $?")

    assert "code 137" in said
    assert (first["DriftContent"], first["BlockedBy"]) == ("modified", "SIGKILL after the verdict")
    assert "code 137" in again
    blocked._sensor.wait_for(
        lambda row: (
            row["kind"] == "alert"
            and row["ContainerId"] == blocked.container.id
            and row["BlockedBy"] == "SIGKILL at exec"
        )
    )


def test_fail_closed_blocks_until_the_verdict(start: Callable[..., Blocked]) -> None:
    blocked = start("closed")
    script = "/opt/lab/mark /data/ran; echo code $?"
    first = blocked.run("chmod 711 /opt/lab/mark; " + script)
    event = blocked.event("mark")
    again = blocked.run(script)

    assert "code 137" in first
    assert (event["Drift"], event["BlockedBy"]) == ("no", "SIGKILL at exec")
    assert again == "code 0\n"


def test_relocated_content_can_be_allowed(start: Callable[..., Blocked]) -> None:
    blocked = start("lenient")

    assert blocked.run("cp /opt/lab/mark /tmp/m; /tmp/m /data/ran" + RAN) == "xx"
    assert blocked.run("rm /data/ran; cp /opt/lab/mark /tmp/o; echo xyz >> /tmp/o; /tmp/o /data/ran" + RAN) == ""


def test_a_rule_for_scripts_does_not_block_programs(start: Callable[..., Blocked]) -> None:
    blocked = start("scripts")

    assert blocked.run(DROP + "/tmp/new /data/ran" + RAN) == "xx"
    assert blocked.run("echo true > /tmp/s; sh /tmp/s; echo code $?") == "code 137\n"


def test_containers_out_of_scope_are_not_blocked(start: Callable[..., Blocked]) -> None:
    blocked = start("other")

    assert blocked.run(DROP + "/tmp/new /data/ran" + RAN) == "xx"
    assert blocked.alert("new")["BlockedBy"] == ""


def test_the_first_process_is_exempt_unless_the_rule_includes_it(start: Callable[..., Blocked]) -> None:
    script = DROP + "sleep 0.5; exec /tmp/new /data/ran"
    exempt = start("open", command=("bash", "-c", script))
    alert = exempt.alert("new")
    start("first", command=("bash", "-c", script))

    assert alert["AdditionalFields"]["NotBlocked"] == "it is the container's first process"


def test_processes_of_the_node_are_never_blocked(blocking: Sensor, tmp_path: Path) -> None:
    dropped = Path(shutil.copy("/bin/true", tmp_path / "dropped"))

    assert subprocess.run((dropped,), check=False).returncode == 0
