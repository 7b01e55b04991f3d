"""The writer, the session and the process tree of what ran, on real containers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

import lab as labs
from lab import HostMount, volumes
from tests.e2e.conftest import Sensor, Watched

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

Row = dict[str, Any]


def alert_on(rows: list[Row], name: str) -> Row:
    """Return the one alert on a file of this name."""
    (found,) = [row for row in rows if row["kind"] == "alert" and row["FileName"] == name]
    return found


def started(sensor: Sensor, container: labs.LabContainer) -> labs.LabContainer:
    sensor.wait_for(lambda row: row.get("ContainerId") == container.id)
    return container


def test_a_process_of_the_container_is_the_writer_with_its_command_line(watched: Callable[..., Watched]) -> None:
    rows = watched().after("cp /opt/lab/true /tmp/x; touch -r /opt/lab/true /tmp/x; /tmp/x")
    alert = alert_on(rows, "x")
    (writer,) = [
        row
        for row in rows
        if row.get("ProcessKey") == alert["WriterProcessKey"] and row["ActionType"] == "ProcessCreated"
    ]

    assert alert["WriterPlace"] == "container"
    assert alert["WriterProcessCommandLine"] == writer["ProcessCommandLine"] == "cp /opt/lab/true /tmp/x"
    assert alert["WriterContainerId"] == alert["ContainerId"]
    assert alert["WriterProcessCreationTime"] <= alert["WriteTime"] <= alert["Timestamp"]
    assert alert["AdditionalFields"]["LastOpenedForWriting"]["ProcessName"] == "touch"


def test_another_container_that_has_ended_is_named_as_the_writer(
    pod: labs.Pod, sensor: Sensor, watched: Callable[..., Watched]
) -> None:
    mount = HostMount(volumes.empty_dir(pod.uid, "data"), "/vol")
    init = started(sensor, pod.container("glibc", name="init", mounts=(mount,)))
    init.sh("cp /opt/lab/true /vol/x; echo >> /vol/x")
    init.stop()
    alert = alert_on(watched(mounts=(mount,)).after("/vol/x"), "x")

    assert (alert["WriterPlace"], alert["WriterContainerName"]) == ("other-container", "init")
    assert (alert["WriterContainerId"], alert["WriterKubernetesPodName"]) == (init.id, alert["KubernetesPodName"])
    assert "of another container, init in pod shop/" in alert["DriftReason"]


def test_the_node_is_named_as_the_writer(watched: Callable[..., Watched]) -> None:
    container = watched()
    target = f"/proc/{container.container.pid}/root/tmp/x"
    command = f"cp /bin/true {target}"
    subprocess.run(("sh", "-c", f"{command}; true"), check=True)
    alert = alert_on(container.after("/tmp/x"), "x")

    assert (alert["WriterPlace"], alert["WriterContainerId"]) == ("node", "")
    assert alert["WriterProcessCommandLine"] == command
    assert f"of the node itself (`{command}`)" in alert["DriftReason"]


def test_all_processes_of_an_exec_session_have_its_key(watched: Callable[..., Watched]) -> None:
    """A daemon of the session is handed to the container's first process before it executes."""
    container = watched()
    rows = container.after(
        "cp /opt/lab/true /tmp/x; cp /opt/lab/true /tmp/daemon; (sh -c 'sleep 0.3; exec /tmp/daemon' &) ; "
        "/tmp/x; sleep 0.6"
    )
    execs = [row for row in rows if row["kind"] == "event" and row["ActionType"] == "ProcessCreated"]
    (session,) = {row["SessionKey"] for row in execs if "/tmp/daemon" in row["ProcessCommandLine"]}

    assert session == alert_on(rows, "daemon")["SessionKey"] == alert_on(rows, "x")["SessionKey"] != ""
    assert session in {row["ProcessKey"] for row in execs}


def test_the_containers_own_processes_are_in_no_session(sensor: Sensor, pod: labs.Pod) -> None:
    script = "cp /opt/lab/true /tmp/x; (/tmp/x); sleep 60"
    container = pod.container("glibc", command=("/bin/sh", "-c", script))
    row = sensor.wait_for(lambda row: row.get("ContainerId") == container.id and row.get("FileName") == "x")

    assert row["SessionKey"] == ""


def test_scripts_and_libraries_have_the_whole_process_tree(watched: Callable[..., Watched]) -> None:
    rows = watched().after(
        "cp /opt/lab/true /tmp/b; cp /opt/lab/libgreet.so /tmp/l.so; echo true > /tmp/s; "
        "sh -c '/tmp/b; (/opt/lab/load /tmp/l.so); sh /tmp/s; true'"
    )
    tree = [node["pid"] for node in alert_on(rows, "b")["ProcessTree"]]

    assert len(tree) > 2
    for name in ("l.so", "s"):
        above = [node["pid"] for node in alert_on(rows, name)["ProcessTree"]]
        assert above[-len(tree) :] == tree[-len(above) :] == tree, name


PYTHON = "import ctypes, mmap, os, time; "
LIBRARIES = {
    "removed after dlopen": (
        "ctypes.CDLL('/tmp/l.so'); os.unlink('/tmp/l.so')",
        ("/tmp/l.so", "writable-layer", "added", "cp"),
    ),
    "memfd": (
        "fd = os.memfd_create('lib'); os.write(fd, open('/tmp/l.so', 'rb').read()); ctypes.CDLL(f'/proc/self/fd/{fd}')",
        ("/memfd:lib", "memory", "added", "python3"),
    ),
    "shared /dev/zero": (
        "m = mmap.mmap(os.open('/dev/zero', os.O_RDWR), 4096, mmap.MAP_SHARED, 7)",
        ("/dev/zero", "memory", "added", ""),
    ),
}


@pytest.mark.parametrize("case", LIBRARIES)
def test_a_library_without_a_path_has_hash_origin_and_writer(watched: Callable[..., Watched], case: str) -> None:
    action, expected = LIBRARIES[case]
    rows = watched().after(
        f'cp /opt/lab/libgreet.so /tmp/l.so; echo >> /tmp/l.so; python3 -c "{PYTHON}{action}; time.sleep(1)"'
    )
    (alert,) = [row for row in rows if row["kind"] == "alert" and row["DriftSubject"] == "library"]
    path = alert["FolderPath"].rstrip("/") + "/" + alert["FileName"]
    writer = alert["WriterProcessName"] if expected[3] != "cp" else "cp"

    assert (path, alert["DriftOrigin"], alert["DriftContent"], writer) == expected
    assert len(alert["SHA256"]) == 64
    assert not alert["Title"].startswith("Deleted")
