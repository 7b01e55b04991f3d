"""Sensors under comparison, each as a context manager that starts and stops it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import Lab

__all__ = ["SENSORS", "Running", "driftline", "missing_tools"]

ENV = {**os.environ, "PYTHONUNBUFFERED": "1"}
BPFTRACE = (
    'BEGIN { printf("ready\\n"); } '
    'tracepoint:syscalls:sys_enter_execve { printf("%d %s ", pid, comm); join(args->argv); }'
)
ALERT_ON_ALL = "rules: [{name: everywhere, priority: 1, action: alert}]"


@contextmanager
def off(_: Lab) -> Iterator[None]:
    """Run no sensor."""
    yield


@dataclass(frozen=True)
class Running:
    """Running ``driftline sensor``."""

    pid: int
    """Pid of the sensor's process."""
    store: Path
    """Directory of its store."""
    policy: Path
    """Policy file that it follows."""
    address: str
    """Host and port of its HTTP endpoint (``/status``)."""


@contextmanager
def driftline(lab: Lab, *arguments: str, policy: str = ALERT_ON_ALL, stores: bool = True) -> Iterator[Running]:
    """Run ``driftline sensor``, as on a node; yield when it has started.

    It writes to a store of its own, or, without ``stores``, prints alerts and keeps no rows.
    """
    with tempfile.TemporaryDirectory(prefix="driftline-bench-") as folder:
        file = Path(folder, "policy.yaml")
        file.write_text(policy)
        command = (
            sys.executable, "-m", "driftline.cli", "sensor", "--runtime", str(lab.socket), "--policy", str(file),
            "--images", "/var/tmp/driftline-bench/images", "--listen", "127.0.0.1:0", *arguments,
            *(("--store", f"{folder}/store", "--output", "none") if stores else ()),
        )  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENV)
        try:
            started = _wait_for_line(process, b"sensor started")
            yield Running(process.pid, Path(folder, "store"), file, started.split()[-1].decode())
        finally:
            process.terminate()
            process.communicate(timeout=60)


@contextmanager
def driftline_kernel_side(lab: Lab) -> Iterator[None]:
    """Stop the sensor's process (SIGSTOP) while its BPF programs keep running.

    This measures the cost inside the exec itself; the rest is user space that competes for the
    machine's two cores.
    """
    with driftline(lab) as running:
        os.kill(running.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(running.pid, signal.SIGCONT)


@contextmanager
def driftline_without_provenance(lab: Lab) -> Iterator[None]:
    """Run the sensor without its BPF program at the exit of system calls."""
    with driftline(lab, "--no-provenance"):
        yield


@contextmanager
def driftline_alerts_only(lab: Lab) -> Iterator[None]:
    """Run the sensor without a store: it prints alerts."""
    with driftline(lab, stores=False):
        yield


@contextmanager
def auditd(_: Lab) -> Iterator[None]:
    """Run auditd with a rule on execve, as hardening guides recommend."""
    daemon = subprocess.Popen(("auditd", "-n"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for rule in ("-b 8192", "-e 1", "-a always,exit -F arch=b64 -S execve,execveat -k bench"):
            subprocess.run(("auditctl", *rule.split()), check=True, stdout=subprocess.DEVNULL)
        yield
    finally:
        for rule in ("-D", "-e 0"):
            subprocess.run(("auditctl", *rule.split()), check=False, stdout=subprocess.DEVNULL)
        daemon.terminate()
        daemon.wait(timeout=30)


@contextmanager
def bpftrace(_: Lab) -> Iterator[None]:
    """Run a bpftrace one-liner that prints each execve with its arguments."""
    if not Path("/sys/kernel/debug/tracing/events").exists():
        subprocess.run(("mount", "-t", "debugfs", "debugfs", "/sys/kernel/debug"), check=True)
    with tempfile.TemporaryFile() as output:
        tracer = subprocess.Popen(("bpftrace", "-e", BPFTRACE), stdout=output, stderr=subprocess.DEVNULL)
        try:
            while b"ready" not in os.pread(output.fileno(), 4096, 0):
                if tracer.poll() is not None:
                    raise RuntimeError("bpftrace did not start")
                os.sched_yield()
            yield
        finally:
            tracer.terminate()
            tracer.wait(timeout=30)


SENSORS: dict[str, Callable[[Lab], AbstractContextManager[object]]] = {
    "off": off,
    "driftline": driftline,
    "driftline, kernel side alone": driftline_kernel_side,
    "driftline, no provenance": driftline_without_provenance,
    "driftline, alerts only": driftline_alerts_only,
    "auditd, execve rule": auditd,
    "bpftrace, execsnoop": bpftrace,
}


def missing_tools() -> list[str]:
    """Return the Debian packages that the comparison needs and that are not installed."""
    return [tool for tool in ("auditd", "bpftrace") if not shutil.which(tool)]


def _wait_for_line(process: subprocess.Popen[bytes], wanted: bytes) -> bytes:
    seen = []
    for line in process.stderr or ():
        seen.append(line)
        if wanted in line:
            return line
    raise RuntimeError(b"".join(seen).decode(errors="replace"))
