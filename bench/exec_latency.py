"""Time that a sensor adds to fork+exec+exit of an image binary in a container.

Each round measures every sensor between two measurements without one, so that other load on the
machine affects all alike. A round's ratio is the median with the sensor over the mean of the two
medians around it. Run ``python -m bench.exec_latency [ROUNDS] [SPAWNS]``.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

import lab
from bench import _sensors
from lab import LabContainer


def median_ns(container: LabContainer, spawns: int) -> float:
    """Spawn an image binary ``spawns`` times; return the median time of one spawn in nanoseconds."""
    result = container.exec("/opt/lab/spawn", str(spawns), "/opt/lab/true", timeout=300)
    return statistics.median(int(line) for line in result.stdout.split())


def main(rounds: int = 10, spawns: int = 1000) -> None:
    """Compare all sensors over ``rounds`` rounds and print a Markdown table."""
    missing = _sensors.missing_tools()
    if missing:
        subprocess.run(("apt-get", "install", "-y", "-qq", *missing), check=True, stdout=subprocess.DEVNULL)
    ratios: dict[str, list[float]] = {name: [] for name in _sensors.SENSORS}
    added: dict[str, list[float]] = {name: [] for name in _sensors.SENSORS}
    with lab.start("bench") as it:
        container = it.pod("exec-latency").container("busybox")
        median_ns(container, spawns)
        for _ in range(rounds):
            for name, sensor in _sensors.SENSORS.items():
                before = median_ns(container, spawns)
                with sensor(it):
                    during = median_ns(container, spawns)
                base = (before + median_ns(container, spawns)) / 2
                ratios[name].append(during / base)
                added[name].append((during - base) / 1000)
    print(f"fork+exec+exit of a static image binary, {rounds} rounds of {spawns} spawns each")
    print("| sensor | ratio: median | min | max | added, us |")
    print("| --- | --- | --- | --- | --- |")
    for name, found in ratios.items():
        low, middle, high = min(found), statistics.median(found), max(found)
        print(f"| {name} | {middle:.3f} | {low:.3f} | {high:.3f} | {statistics.median(added[name]):+.1f} |")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
