"""Block mode: attempts that get through, cost of an exec, and time until a policy is in force.

Run ``python -m bench.blocking [ATTEMPTS] [ALLOWED] [ROUNDS]``. A payload writes one byte to a file
as its first action and another from main: every byte in that file is a run that was not stopped.
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
from collections.abc import Sequence

import lab
from bench import _sensors
from bench.throughput import status
from lab import HostMount, LabContainer, volumes

CONTAINERS = 100
BLOCK = "rules: [{name: everywhere, priority: 1, action: block}]"
# 199 rules of higher priority that never match here: half by scope, half by subject.
MANY = "rules:" + "".join(
    f"\n- {{name: rule {n}, priority: {n}, action: alert, "
    + ("subjects: [script]}" if n % 2 else "resourceScope: [{field: namespace, values: [other]}]}")
    for n in range(1, 200)
)
MANY += "\n- {name: the last, priority: 200, action: block, allow: [{name: updater}, {path: /opt/agent/*}]}\n"

# Ways to run new code. Each command makes {count} attempts that append to /data/ran if not stopped.
WAYS = {
    "exec": "/opt/lab/spawn {count} /tmp/new /data/ran",
    "execveat of a memfd": "/opt/lab/spawn {count} /opt/lab/memexec /opt/lab/mark payload /data/ran",
    "exec from a memory volume": "/opt/lab/spawn {count} /scratch/new /data/ran",
    "renamed copies": (
        "i=0; while [ $i -lt {count} ]; do mv /tmp/n$i /tmp/n$((i+1)); i=$((i+1)); /tmp/n$i /data/ran; done"
    ),
}
# Tenths of all attempts for each way, and the number of processes that make them at the same time.
SHARES = {"exec": 4, "execveat of a memfd": 3, "exec from a memory volume": 2, "renamed copies": 1}
PARALLEL = {"exec": 3, "execveat of a memfd": 2, "exec from a memory volume": 2, "renamed copies": 1}


def in_parallel(container: LabContainer, scripts: Sequence[str]) -> float:
    """Run scripts at the same time; return the seconds until the last one ends."""
    start = time.monotonic()
    threads = [
        threading.Thread(target=container.sh, args=(f"({script}) >/dev/null 2>&1",), kwargs={"timeout": 3600})
        for script in scripts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - start


def size(container: LabContainer, path: str) -> int:
    """Return the size of a file in the container, in bytes; 0 if it does not exist."""
    return int(container.sh(f"cat {path} 2>/dev/null | wc -c").stdout)


def wait_in_force(container: LabContainer) -> None:
    """Wait until the block rule is in force: until a changed copy of a program fails to run."""
    while container.sh("cp /opt/lab/true /tmp/p; echo xx >> /tmp/p; /tmp/p; echo $?").stdout == b"0\n":
        time.sleep(0.1)


def attempts(it: lab.Lab, count: int) -> None:
    """Try to run files that are not image content, eight at a time, and print how many ran."""
    pod = it.pod("blocking")
    container = pod.container("busybox", mounts=(HostMount(volumes.memory_dir(pod.uid, "scratch"), "/scratch"),))
    container.sh("cp /opt/lab/mark /tmp/new; echo x >> /tmp/new; cp /tmp/new /scratch/new; cp /tmp/new /tmp/n0")
    in_parallel(container, _scripts(100))
    print(f"100 attempts with no sensor: {size(container, '/data/ran')} bytes written")
    # The renaming loop has moved /tmp/n0 away.
    container.sh("rm /data/ran; cp /tmp/new /tmp/n0")
    with _sensors.driftline(it, policy=BLOCK) as running:
        wait_in_force(container)
        took = in_parallel(container, _scripts(count))
        wrote = size(container, "/data/ran")
        lost = {reason: n for reason, n in status(running.address)["lost"].items() if n}
    print(f"{count} attempts in {took:.0f} s, by 8 at a time: {wrote} bytes written; records lost: {lost or 'none'}")


def _scripts(count: int) -> list[str]:
    """Return the shell scripts that together make ``count`` attempts in all ways."""
    scripts = []
    for way, command in WAYS.items():
        times = PARALLEL[way]
        scripts += [command.format(count=count * SHARES[way] // 10 // times)] * times
    return scripts


def allowed_execs(it: lab.Lab, count: int) -> None:
    """Run an image binary many times while everything else is blocked, and print how many were blocked."""
    container = it.pod("allowed").container("busybox")
    with _sensors.driftline(it, policy=BLOCK):
        wait_in_force(container)
        took = in_parallel(container, [f"/opt/lab/spawn {count // 2} /opt/lab/mark /data/ran"] * 2)
        wrote = size(container, "/data/ran")
    print(f"{count} execs of an image binary in {took:.0f} s: {count - wrote // 2} blocked")


def latency(it: lab.Lab, rounds: int) -> None:
    """Compare exec latency in block mode with 200 rules to that without a sensor.

    Once at the pace at which services exec, once without a pause.
    """
    container = it.pod("latency").container("busybox")
    # Services exec with pauses; back-to-back execs are the worst case.
    for name, pause in (("one exec each 2 ms", 2000), ("as many as there can be", 0)):
        ratios = []
        for _ in range(rounds):
            before = _median_ns(container, pause)
            with _sensors.driftline(it, policy=MANY):
                wait_in_force(container)
                during = _median_ns(container, pause)
            ratios.append(during / ((before + _median_ns(container, pause)) / 2))
        low, high = min(ratios), max(ratios)
        print(f"fork+exec+exit, {name}: ratio {statistics.median(ratios):.3f} ({low:.3f} to {high:.3f})")


def _median_ns(container: LabContainer, pause: int) -> float:
    result = container.sh(f"PAUSE_US={pause} /opt/lab/spawn 1000 /opt/lab/true", timeout=300)
    return statistics.median(int(line) for line in result.stdout.split())


def delivery(it: lab.Lab, rounds: int) -> None:
    """Save a policy, and print the time until it is in force in all containers."""
    pods = [it.pod(f"delivery-{number}") for number in range(CONTAINERS // 10)]
    containers = [pod.container("busybox", name=f"c{n}") for pod in pods for n in range(10)]
    found = []
    with _sensors.driftline(it) as running:
        while len(containers) > status(running.address)["containers"]:
            time.sleep(0.1)
        for _ in range(rounds):
            for policy, wanted in ((BLOCK, True), (_sensors.ALERT_ON_ALL, False)):
                start = time.monotonic()
                running.policy.write_text(policy)
                while (status(running.address)["containers_with_blocking"] >= CONTAINERS) != wanted:
                    time.sleep(0.005)
                found.append(time.monotonic() - start)
    print(
        f"from save to effect in {CONTAINERS} containers: "
        f"median {statistics.median(found):.2f} s, longest {max(found):.2f} s"
    )


def main(count: int = 100_000, allowed: int = 1_000_000, rounds: int = 10) -> None:
    """Run all measurements: ``count`` attempts, ``allowed`` execs of an image binary, ``rounds`` rounds."""
    with lab.start("bench") as it:
        delivery(it, rounds)
        attempts(it, count)
        latency(it, rounds)
        allowed_execs(it, allowed)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
