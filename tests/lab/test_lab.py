"""Real containers of the lab: started as by kubelet, removed without a trace."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import lab as labs
from lab import _containerd, volumes
from lab._images import IMAGES, LAYERS
from lab._paths import LabPaths

pytestmark = pytest.mark.e2e

Containers = Callable[..., labs.LabContainer]


@pytest.mark.parametrize("image", sorted(set(IMAGES) - {"pause"}))
def test_every_image_runs_a_shell(container: Containers, image: str) -> None:
    assert container(image).sh("echo $((6 * 7))").check().stdout == b"42\n"


def test_exec_returns_status_and_both_streams(container: Containers) -> None:
    done = container().sh("echo out; echo err >&2; exit 3")

    assert done == labs.ExecResult(3, b"out\n", b"err\n")


def test_exec_passes_bytes_to_stdin(container: Containers) -> None:
    assert container().exec("cat", stdin=b"\0\xff\n").stdout == b"\0\xff\n"


def test_container_has_the_cgroup_that_kubelet_gives(pod: labs.Pod) -> None:
    container = pod.container()

    lines = Path(f"/proc/{container.pid}/cgroup").read_text().splitlines()

    assert f"0::/kubepods/besteffort/pod{pod.uid}/{container.id}" in lines


def test_cgroup_id_is_the_inode_of_its_directory(pod: labs.Pod) -> None:
    container = pod.container()

    found = {path.stat().st_ino for path in Path("/sys/fs/cgroup").glob(f"**/pod{pod.uid}/{container.id}")}

    assert container.cgroup_id in found


def test_forty_layers_are_forty_directories(container: Containers) -> None:
    first = Path(f"/proc/{container('layers40').pid}/mountinfo").read_text().splitlines()[0]
    lowerdirs = next(part for part in first.split(",") if part.startswith("lowerdir="))

    assert lowerdirs.count(":") + 1 == LAYERS


def test_web_image_has_no_wget(container: Containers) -> None:
    assert container("web").exec("/bin/sh", "-c", "command -v wget").exit_code == 127


def test_payload_runs_from_a_memfd(container: Containers) -> None:
    busybox = container()

    busybox.exec("/opt/lab/memexec", "/opt/lab/mark", "mark", "/tmp/marks").check()

    assert busybox.sh("cat /tmp/marks").stdout == b"xx"


def test_payload_runs_after_its_file_is_unlinked(container: Containers) -> None:
    done = container().sh("cp /opt/lab/true /tmp/t && /opt/lab/delexec /tmp/t && ls /tmp").check()

    assert done.stdout == b""


def test_library_is_found_preloaded_and_opened(container: Containers) -> None:
    script = "export LIBGREET=1; /opt/lab/dynamic; LD_PRELOAD=/opt/lab/libgreet.so /bin/true; /opt/lab/load libgreet.so"
    done = container("glibc").sh(script).check()

    assert done.stdout == b"greet: loaded\n0 42\ngreet: loaded\ngreet: loaded\n"


def test_config_map_is_read_through_its_dated_directory(pod: labs.Pod) -> None:
    files = volumes.config_map(pod.uid, "settings", {"run.sh": b"#!/bin/sh\necho ran\n"})
    container = pod.container(mounts=(labs.HostMount(files, "/etc/settings", read_only=True),))

    assert container.sh("readlink /etc/settings/..data; /etc/settings/run.sh").stdout.endswith(b"1\nran\n")


def test_secret_lies_in_memory(pod: labs.Pod) -> None:
    files = volumes.secret(pod.uid, "token", {"token": b"x"})
    container = pod.container(mounts=(labs.HostMount(files, "/token"),))

    assert b" tmpfs " in container.sh("grep ' /token ' /proc/mounts").stdout


def test_removed_pod_leaves_no_volume_or_cgroup(lab: labs.Lab) -> None:
    pod = lab.pod("gone")
    volumes.memory_dir(pod.uid, "cache")
    pod.container()

    pod.remove()

    assert not Path("/var/lib/kubelet/pods", pod.uid).exists()
    assert not list(Path("/sys/fs/cgroup").glob(f"**/pod{pod.uid}"))


def test_plain_container_has_no_pod(lab: labs.Lab) -> None:
    plain = lab.plain_container(namespace="night")
    try:
        assert f"0::/night/{plain.id}\n" in Path(f"/proc/{plain.pid}/cgroup").read_text()
        assert plain.sh("echo here").stdout == b"here\n"
    finally:
        plain.stop()


def test_running_named_lab_is_reused() -> None:
    first = labs.start("test-named")
    try:
        container = first.pod("kept").container()
        with labs.start("test-named"):
            pass
        assert container.sh("echo here").stdout == b"here\n"
    finally:
        first.stop()


def test_next_start_clears_a_crashed_lab() -> None:
    script = "import lab, os, signal; it = lab.start(); c = it.pod('left').container(); print(it.paths.name, c.pid);"
    script += "os.sys.stdout.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    crashed = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    name, pid = crashed.stdout.decode().split()
    assert Path(f"/proc/{pid}/root").exists()

    with labs.start() as next_lab:
        assert (crashed.returncode, next_lab.paths.name) == (-signal.SIGKILL, name)
        assert not Path(f"/proc/{pid}/root").exists()


def test_containerd_that_cannot_start_shows_its_log() -> None:
    paths = LabPaths.named("test-broken")
    paths.data.mkdir(parents=True, exist_ok=True)
    paths.root.write_bytes(b"in the way")
    try:
        with pytest.raises(labs.LabError, match=r"containerd ended.*(?s:.*)not a directory"):
            labs.start("test-broken")
    finally:
        paths.root.unlink()
        _containerd.clear(paths)


def test_stopped_lab_leaves_no_mount_and_no_process() -> None:
    running = labs.start("test-stopped")
    pid = running.pod("web").container().pid

    running.stop()

    assert not Path(f"/proc/{pid}/root").exists()
    assert str(running.paths.run) not in Path("/proc/self/mountinfo").read_text()
    assert not running.socket.exists()


def test_setuid_payload_runs_as_its_owner(container: Containers) -> None:
    busybox = container()

    busybox.sh("cp /opt/lab/uid /tmp/u && chmod 4755 /tmp/u").check()

    assert busybox.exec("su", "web", "-c", "/tmp/u").stdout == b"1000 0\n"
