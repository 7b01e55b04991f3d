"""One containerd with its CRI plugin: started, waited for, stopped, and cleared away after a crash."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import grpc
from cri_api.v1 import api_pb2, api_pb2_grpc

from lab._place import Place
from lab._run import LabError, run

__all__ = ["cgroup_mounts", "clear", "clear_cgroup", "open_channel", "restart", "runs", "start"]

PAUSE = "localhost/lab/pause:1"
KUBELET_PODS = Path("/var/lib/kubelet/pods")
READY_SECONDS = 30
STOP_SECONDS = 10

# restrict_oom_score_adj: runc cannot lower its score without CAP_SYS_RESOURCE and dies of it.
CONFIG = """\
version = 2
root = "{place.root}"
state = "{place.run}/state"
oom_score = 0

[grpc]
  address = "{place.socket}"
[ttrpc]
  address = ""

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    discard_unpacked_layers = false
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{place.run}/cni/bin"
    conf_dir = "{place.run}/cni/net.d"
"""


def open_channel(place: Place) -> grpc.Channel:
    """Open a channel; grpc would otherwise send the socket's path as the authority, which Go refuses."""
    backoff = [(f"grpc.{which}_reconnect_backoff_ms", 50) for which in ("initial", "max")]
    options = [("grpc.default_authority", "localhost"), ("grpc.max_receive_message_length", 64 << 20), *backoff]
    return grpc.insecure_channel(f"unix://{place.socket}", options=options)


def runs(place: Place) -> bool:
    """Tell whether a containerd answers there."""
    with open_channel(place) as channel:
        return _answers(channel, 2)


def start(place: Place) -> None:
    """Start containerd in an emptied place and wait until it answers; raises ``LabError`` with its log."""
    clear(place)
    place.run.mkdir(parents=True, exist_ok=True)
    place.data.mkdir(parents=True, exist_ok=True)
    place.config.write_text(CONFIG.format(place=place, pause=PAUSE))
    place.log.unlink(missing_ok=True)
    _spawn(place)


def restart(place: Place) -> None:
    """End containerd and start it again; containers run on meanwhile."""
    _end(_daemon(place))
    _spawn(place)


def clear(place: Place) -> None:
    """Remove the processes, mounts, cgroups and files of a lab, whether it ran well or crashed."""
    _end(_daemon(place))
    for shim in _shims(place):
        _kill_tree(shim)
    for cgroup in place.cgroups.read_text().split() if place.cgroups.exists() else ():
        clear_cgroup(cgroup)
    for directory in (place.run, place.root):
        _unmount_below(directory)
    shutil.rmtree(place.run, ignore_errors=True)


def clear_cgroup(cgroup: str) -> None:
    """Remove an ended container's or pod's cgroup, and the pod's volumes."""
    _remove_cgroups(cgroup.lstrip("/"))
    kind, _, uid = Path(cgroup).name.partition("pod")
    if uid and not kind:
        volumes = KUBELET_PODS / uid
        _unmount_below(volumes)
        shutil.rmtree(volumes, ignore_errors=True)


def cgroup_mounts() -> list[Path]:
    """List where the cgroup hierarchies are mounted, v1 and v2."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [Path(line.split()[4]) for line in lines if line.partition(" - ")[2].startswith("cgroup")]


def _answers(channel: grpc.Channel, seconds: float) -> bool:
    stub = api_pb2_grpc.RuntimeServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
    try:
        stub.Status(api_pb2.StatusRequest(), timeout=seconds, wait_for_ready=True)
    except grpc.RpcError:
        return False
    return True


def _spawn(place: Place) -> None:
    with place.log.open("ab") as log:
        process = subprocess.Popen(
            ["containerd", "--config", str(place.config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    place.pid_file.write_text(str(process.pid))
    _wait_ready(place, process)
    process.returncode = 0  # it may outlive us: clear() ends it by its pid file


def _wait_ready(place: Place, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + READY_SECONDS
    with open_channel(place) as channel:
        while not _answers(channel, 0.5):
            if process.poll() is not None or time.monotonic() > deadline:
                tail = place.log.read_text(errors="replace").splitlines()[-15:]
                how = "ended" if process.returncode is not None else f"did not answer within {READY_SECONDS} s"
                raise LabError("\n".join([f"containerd {how}; the end of {place.log}:", *tail]))


def _daemon(place: Place) -> int:
    """The pid of the containerd of this place, 0 if it is gone (or the pid is another's by now)."""
    try:
        pid = int(place.pid_file.read_text())
        return pid if os.fsencode(place.config) in _argv(pid) else 0
    except (FileNotFoundError, ValueError):
        return 0


def _end(pid: int) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL) if pid else ():
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            return
        if _wait_gone(pid):
            return


def _wait_gone(pid: int) -> bool:
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        _reap(pid)
        if not _argv(pid):
            return True
        time.sleep(0.01)
    return False


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):  # not ours: init reaps it
        os.waitpid(pid, os.WNOHANG)


def _argv(pid: int) -> list[bytes]:
    """The arguments of a living process; a dead one and a zombie have none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _shims(place: Place) -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if _is_shim(_argv(pid), os.fsencode(place.socket))]


def _is_shim(argv: list[bytes], socket: bytes) -> bool:
    return bool(argv) and argv[0].endswith(b"containerd-shim-runc-v2") and socket in argv


def _kill_tree(pid: int) -> None:
    # A killed first process of a pid namespace takes the namespace's other processes along.
    for child in _children(pid):
        _kill(child)
    _kill(pid)
    _wait_gone(pid)


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _remove_cgroups(relative: str) -> None:
    for hierarchy in cgroup_mounts():
        top = hierarchy / relative
        for directory in [*sorted(top.rglob("*/"), reverse=True), top]:
            with contextlib.suppress(OSError):  # not there, or a process is still on its way out
                directory.rmdir()


def _unmount_below(directory: Path) -> None:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4] for line in lines]
    for point in reversed(points):
        if point == str(directory) or point.startswith(f"{directory}/"):
            run("umount", "--lazy", point)
