import subprocess

import pytest

from driftline.sensor.bpf.kernel import host_mnt_ns
from driftline.sensor.bpf.records import ProcessKey
from driftline.sensor.enforcement import stopping
from driftline.sensor.tracking.processes import read_process


@pytest.fixture
def child() -> "subprocess.Popen[bytes]":
    """Start a process in a mount namespace of its own."""
    process = subprocess.Popen(("unshare", "--mount", "sh", "-c", "echo; exec cat"), stdin=-1, stdout=-1)
    assert process.stdout
    process.stdout.readline()
    return process


def key_of(child: "subprocess.Popen[bytes]") -> ProcessKey:
    found = read_process(child.pid)
    assert found
    return found.key


def end(child: "subprocess.Popen[bytes]") -> int:
    assert child.stdin and child.stdout
    child.stdin.close()
    child.stdout.close()
    return child.wait(10)


@pytest.mark.kernel
def test_stop_kills_the_process(child: "subprocess.Popen[bytes]") -> None:
    assert stopping.stop(key_of(child), host_mnt_ns=host_mnt_ns()) == ""
    assert end(child) == -9


@pytest.mark.kernel
def test_another_process_with_the_same_pid_is_not_killed(child: "subprocess.Popen[bytes]") -> None:
    another = ProcessKey(child.pid, key_of(child).start_ticks - 1)

    assert stopping.stop(another, host_mnt_ns=host_mnt_ns()) == "it had ended"
    assert end(child) == 0


def test_a_process_in_the_node_mount_namespace_is_not_killed() -> None:
    with subprocess.Popen(("cat",), stdin=-1, stdout=-1) as child:
        said = stopping.stop(key_of(child), host_mnt_ns=host_mnt_ns())

    assert said == "it runs in the node's own mount namespace"
    assert child.returncode == 0


def test_an_ended_process_is_reported_as_ended() -> None:
    assert stopping.stop(ProcessKey(2**22 + 1, 1), host_mnt_ns=host_mnt_ns()) == "it had ended"
