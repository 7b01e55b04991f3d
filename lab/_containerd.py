"""One containerd with its CRI plugin: start, readiness, stop, and removal of a crashed one."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import grpc
from cri_api.v1 import api_pb2, api_pb2_grpc

from lab._paths import LabPaths
from lab._run import LabError, run

__all__ = ["cgroup_mounts", "clear", "clear_cgroup", "open_channel", "restart", "runs", "start"]

PAUSE = "localhost/lab/pause:1"  # first process of every pod sandbox
KUBELET_PODS = Path("/var/lib/kubelet/pods")
READY_SECONDS = 30  # for containerd to answer after its start
STOP_SECONDS = 10  # for a process to end after each signal

# restrict_oom_score_adj: without CAP_SYS_RESOURCE runc cannot lower its score, and fails.
# discard_unpacked_layers: tests read the packed layers. SystemdCgroup: this machine may lack systemd.
# No CNI plugin is configured, because pods use the machine's network.
CONFIG = """\
version = 2
root = "{paths.root}"
state = "{paths.run}/state"
oom_score = 0

[grpc]
  address = "{paths.socket}"
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
    bin_dir = "{paths.run}/cni/bin"
    conf_dir = "{paths.run}/cni/net.d"
"""


def open_channel(paths: LabPaths) -> grpc.Channel:
    """Open a gRPC channel to the lab's containerd; the caller closes it.

    By default gRPC sends the socket's path as the authority, which Go servers refuse.
    """
    backoff = [(f"grpc.{which}_reconnect_backoff_ms", 50) for which in ("initial", "max")]
    options = [("grpc.default_authority", "localhost"), ("grpc.max_receive_message_length", 64 << 20), *backoff]
    return grpc.insecure_channel(f"unix://{paths.socket}", options=options)


def runs(paths: LabPaths) -> bool:
    """Report whether a containerd answers on the lab's socket within 2 seconds."""
    with open_channel(paths) as channel:
        return _answers(channel, 2)


def start(paths: LabPaths) -> None:
    """Clear the lab, start its containerd and wait until it answers.

    Raises ``LabError`` with the end of containerd's log if it ends or does not answer in time.
    """
    clear(paths)
    paths.run.mkdir(parents=True, exist_ok=True)
    paths.data.mkdir(parents=True, exist_ok=True)
    paths.config.write_text(CONFIG.format(paths=paths, pause=PAUSE))
    paths.log.unlink(missing_ok=True)
    _spawn(paths)


def restart(paths: LabPaths) -> None:
    """Stop containerd and start it again; containers keep running."""
    _end(_daemon(paths))
    _spawn(paths)


def clear(paths: LabPaths) -> None:
    """Remove the processes, mounts, cgroups and files of a lab, even after a crash; images remain."""
    _end(_daemon(paths))
    for shim in _shims(paths):
        _kill_tree(shim)
    for cgroup in paths.cgroups.read_text().split() if paths.cgroups.exists() else ():
        clear_cgroup(cgroup)
    for directory in (paths.run, paths.root):
        _unmount_below(directory)
    shutil.rmtree(paths.run, ignore_errors=True)


def clear_cgroup(cgroup: str) -> None:
    """Remove the cgroup of an ended container or pod, and the volumes of a pod.

    ``cgroup`` is the path as kubelet names it, ``/kubepods/besteffort/podUID`` for a pod.
    """
    _remove_cgroups(cgroup.lstrip("/"))
    kind, _, uid = Path(cgroup).name.partition("pod")
    if uid and not kind:
        volumes = KUBELET_PODS / uid
        _unmount_below(volumes)
        shutil.rmtree(volumes, ignore_errors=True)


def cgroup_mounts() -> list[Path]:
    """Return the mount points of all cgroup hierarchies, v1 and v2."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [Path(line.split()[4]) for line in lines if line.partition(" - ")[2].startswith("cgroup")]


def _answers(channel: grpc.Channel, seconds: float) -> bool:
    stub = api_pb2_grpc.RuntimeServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
    try:
        stub.Status(api_pb2.StatusRequest(), timeout=seconds, wait_for_ready=True)
    except grpc.RpcError:
        return False
    return True


def _spawn(paths: LabPaths) -> None:
    with paths.log.open("ab") as log:
        process = subprocess.Popen(
            ["containerd", "--config", str(paths.config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    paths.pid_file.write_text(str(process.pid))
    _wait_ready(paths, process)
    # Popen warns about children that are still running; this one may outlive the process, and
    # clear() stops it by its pid file.
    process.returncode = 0


def _wait_ready(paths: LabPaths, process: "subprocess.Popen[bytes]") -> None:
    """Wait until containerd answers; raise ``LabError`` with the end of its log if it does not."""
    deadline = time.monotonic() + READY_SECONDS
    with open_channel(paths) as channel:
        while not _answers(channel, 0.5):
            if process.poll() is not None or time.monotonic() > deadline:
                tail = paths.log.read_text(errors="replace").splitlines()[-15:]
                how = "ended" if process.returncode is not None else f"did not answer within {READY_SECONDS} s"
                raise LabError("\n".join([f"containerd {how}; the end of {paths.log}:", *tail]))


def _daemon(paths: LabPaths) -> int:
    """Return the pid of the lab's containerd; 0 if it has ended.

    The command line must contain the lab's configuration file: a pid may belong to another process by
    now.
    """
    try:
        pid = int(paths.pid_file.read_text())
        return pid if os.fsencode(paths.config) in _argv(pid) else 0
    except (FileNotFoundError, ValueError):
        return 0


def _end(pid: int) -> None:
    """End a process with SIGTERM, then SIGKILL; return when it has ended."""
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
    with contextlib.suppress(ChildProcessError):  # started by another process: init reaps it
        os.waitpid(pid, os.WNOHANG)


def _argv(pid: int) -> list[bytes]:
    """Return the arguments of a running process; an ended process and a zombie have none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


# A shim survives containerd. It has the address of its containerd among its arguments.
def _shims(paths: LabPaths) -> list[int]:
    """Return the pids of all shims that belong to the lab's containerd."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if _is_shim(_argv(pid), os.fsencode(paths.socket))]


def _is_shim(argv: list[bytes], socket: bytes) -> bool:
    return bool(argv) and argv[0].endswith(b"containerd-shim-runc-v2") and socket in argv


def _kill_tree(pid: int) -> None:
    # The kernel kills every process of a pid namespace with its first process (pid_namespaces(7)).
    for child in _children(pid):
        _kill(child)
    _kill(pid)
    _wait_gone(pid)


def _children(pid: int) -> list[int]:
    """Return the pids of a process's children, of all its threads."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


# rmdir(2) needs leaves first; reverse path order has children before their parents.
def _remove_cgroups(relative: str) -> None:
    for hierarchy in cgroup_mounts():
        top = hierarchy / relative
        for directory in [*sorted(top.rglob("*/"), reverse=True), top]:
            with contextlib.suppress(OSError):  # missing, or a process in it has not quite ended
                directory.rmdir()


# Later mounts may lie on earlier ones, so the last goes first; lazily, since files may be open.
def _unmount_below(directory: Path) -> None:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4] for line in lines]
    for point in reversed(points):
        if point == str(directory) or point.startswith(f"{directory}/"):
            run("umount", "--lazy", point)
