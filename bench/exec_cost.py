"""Processor time that sensors use for each exec, on the whole machine and by themselves.

Ten containers execute an image binary at a steady rate. Every round measures each sensor between two measurements
without one, so that other load on the machine affects all alike. The table gives medians over the rounds:

- own: processor time of the sensor's processes, in microseconds an exec,
- machine: busy time of all processors (/proc/stat) beyond that without a sensor, in microseconds an exec,
- rate: execs a second, over those without a sensor,
- resident: memory of the sensor's processes in MiB, and idle: their processor time without load, of one core.

Run ``python -m bench.exec_cost [ROUNDS] [SECONDS]``.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import lab
from bench import _sensors
from bench.throughput import children, cpu_seconds, resident_mib
from lab import Lab, LabContainer

CONTAINERS = 10
PACE = 0.1
"""Seconds between two bursts of a container."""
BURST = 19
"""Execs of a burst, besides ``spawn`` and ``sleep`` themselves."""
IDLE_SECONDS = 5.0
SETTLE_SECONDS = 10.0
"""Time after the start of a sensor for the work that it does once, such as indexing the image."""
TICKS = os.sysconf("SC_CLK_TCK")
SENSORS = ("off", "driftline", "driftline, alerts only", "auditd, execve rule", "bpftrace, execsnoop")


@dataclass(frozen=True, slots=True)
class Cost:
    """One measurement of one sensor."""

    own: float
    """Processor time of the sensor's processes in seconds."""
    busy: float
    """Busy time of all processors in seconds."""
    execs: int
    seconds: float
    resident: float
    """MiB."""
    idle: float
    """Processor time of the sensor's processes without load, as a share of one core."""


def busy_seconds() -> float:
    """Return the time that the processors were not idle since the boot (proc_stat(5))."""
    fields = [int(field) for field in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS  # without idle and iowait


def descendants(pid: int) -> list[int]:
    """Return a process and all processes below it."""
    return [pid, *(below for child in children(pid) for below in descendants(child))]


@contextmanager
def running(name: str, it: Lab) -> Iterator[Sequence[int]]:
    """Run a sensor; yield the pids of its processes, none for ``off``."""
    if name == "off":
        yield ()
        return
    before = set(children(os.getpid()))
    with _sensors.SENSORS[name](it):
        (started,) = set(children(os.getpid())) - before
        yield descendants(started)


def execute(containers: Sequence[LabContainer], bursts: int) -> int:
    """Run the load in all containers at once; return the number of execs."""
    burst = f"/opt/lab/spawn {BURST} /opt/lab/true >/dev/null; sleep {PACE}"
    command = f"i=0; while [ $i -lt {bursts} ]; do {burst}; i=$((i+1)); done"
    with ThreadPoolExecutor(len(containers)) as threads:
        list(threads.map(lambda container: container.sh(command, timeout=600), containers))
    return len(containers) * bursts * (BURST + 2)


def measure(name: str, it: Lab, containers: Sequence[LabContainer], bursts: int) -> Cost:
    """Measure one sensor idle, then under the load."""
    with running(name, it) as pids:
        time.sleep(SETTLE_SECONDS if pids else 0)
        own = sum(map(cpu_seconds, pids))
        time.sleep(IDLE_SECONDS if pids else 0)
        idle = (sum(map(cpu_seconds, pids)) - own) / IDLE_SECONDS
        own, busy, began = sum(map(cpu_seconds, pids)), busy_seconds(), time.monotonic()
        execs = execute(containers, bursts)
        seconds = time.monotonic() - began
        time.sleep(2)  # rows that wait for a commit belong to the load
        return Cost(
            own=sum(map(cpu_seconds, pids)) - own,
            busy=busy_seconds() - busy,
            execs=execs,
            seconds=seconds,
            resident=sum(map(resident_mib, pids)),
            idle=idle,
        )


def main(rounds: int = 5, seconds: float = 10) -> None:
    """Compare the sensors over ``rounds`` rounds and print a Markdown table."""
    missing = _sensors.missing_tools()
    if missing:
        subprocess.run(("apt-get", "install", "-y", "-qq", *missing), check=True, stdout=subprocess.DEVNULL)
    bursts = int(seconds / (2 * PACE))
    found: dict[str, list[tuple[Cost, Cost]]] = {name: [] for name in SENSORS}
    with lab.start("bench") as it:
        pod = it.pod("exec-cost")
        containers = [pod.container("busybox", name=f"c{number}") for number in range(CONTAINERS)]
        execute(containers, 5)
        for _ in range(rounds):
            for name in SENSORS:
                base = measure("off", it, containers, bursts)
                found[name].append((base, measure(name, it, containers, bursts)))
    print(f"{rounds} rounds of {found['off'][0][0].execs:,} execs each, in {CONTAINERS} containers; medians")
    print("| sensor | own, µs an exec | machine, µs an exec | rate | resident, MiB | idle, of a core |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, pairs in found.items():
        own = statistics.median(cost.own / cost.execs * 1e6 for _, cost in pairs)
        machine = statistics.median((cost.busy - base.busy) / cost.execs * 1e6 for base, cost in pairs)
        rate = statistics.median(base.seconds / cost.seconds for base, cost in pairs)
        resident = statistics.median(cost.resident for _, cost in pairs)
        idle = statistics.median(cost.idle for _, cost in pairs)
        print(f"| {name} | {own:.0f} | {machine:.0f} | {rate:.3f} | {resident:.0f} | {idle:.2%} |")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
