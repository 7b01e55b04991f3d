"""2,000 execs per second from 100 containers: records lost, and resources used by the sensor.

Run ``python -m bench.throughput [SECONDS] [CONTAINERS]``. The sensor is measured idle first.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import lab
from bench import _sensors
from lab import LabContainer

TICKS = os.sysconf("SC_CLK_TCK")
LOAD = "while :; do /opt/lab/spawn 19 /opt/lab/true >/dev/null; sleep 0.9; done"
"""Some 20 execs per second in each container: of ``true``, ``spawn`` and ``sleep``."""


def status(address: str) -> dict[str, Any]:
    """Return the sensor's ``/status`` document."""
    with urllib.request.urlopen(f"http://{address}/status", timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def cpu_seconds(pid: int) -> float:
    """Return the user and system time of a process in seconds (proc_pid_stat(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def children(pid: int) -> list[int]:
    """Return the pids of a process's children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def measure(name: str, running: _sensors.Running, seconds: float) -> None:
    """Observe the sensor for ``seconds`` and print execs, losses, processor time and memory."""
    before, started = status(running.address), time.monotonic()
    processes = {"sensor": running.pid, "store": children(running.pid)[0]}
    cpu = {who: cpu_seconds(process) for who, process in processes.items()}
    time.sleep(seconds)
    passed, after = time.monotonic() - started, status(running.address)
    execs = (after["execs"] - before["execs"]) / passed
    lost = {reason: n - before["lost"][reason] for reason, n in after["lost"].items() if n != before["lost"][reason]}
    print(f"{name}: {execs:.0f} execs/s for {passed:.0f} s, lost: {lost or 'none'}")
    for who, process in processes.items():
        used = (cpu_seconds(process) - cpu[who]) / passed
        print(f"  {who}: {used:.1%} of one core, {resident_mib(process):.0f} MiB resident")


def start_load(container: LabContainer) -> None:
    """Start the endless load in a container, in the background."""
    container.sh(f"({LOAD}) >/dev/null 2>&1 &")


def main(seconds: float = 60, containers: int = 100) -> None:
    """Measure the sensor idle, then with the load."""
    with lab.start("bench") as it, _sensors.driftline(it) as running:
        time.sleep(5)
        measure("idle", running, min(seconds, 20))
        loaded = []
        for number in range(containers // 10):
            pod = it.pod(f"load-{number}")
            loaded += [pod.container("busybox", name=f"c{i}") for i in range(10)]
        for container in loaded:
            start_load(container)
        time.sleep(3)
        measure(f"{containers} containers", running, seconds)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
