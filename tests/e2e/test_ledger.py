"""Every execution is a row or a counted loss, by container: under load, pauses, full rings, removals and a stop."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

import lab as labs
from tests.e2e.conftest import POLICY, Row, start_sensor
from tests.kernel.cgroups import Cgroups

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(280)]

POD = "kubepods/besteffort/pod12345678-1234-1234-1234-12345678901"
IDS = [f"{number:064x}" for number in range(3)]
LOST = ("kernel-exec-ring-full", "kernel-no-scratch", "record-failed", "evaluation-failed", "sink-full")


class Loop:
    """A shell in a cgroup of its own that executes a program again and again, once it is told to."""

    def __init__(self, cgroups: Cgroups, path: str, fifo: Path, program: str, count: int) -> None:
        folder = cgroups.make(path)
        self.executions = count + 1  # and the shell
        loop = f"read go < {fifo}; i=0; while [ $i -lt {count} ]; do {program}; i=$((i+1)); done"
        enter = f"echo $$ > {folder}/cgroup.procs && exec unshare --mount sh -c "
        self.process = subprocess.Popen(("sh", "-c", enter + '"$0"', loop))


def counted(rows: list[Row]) -> Counter[str]:
    """Return rows of executions and losses of containers, by container."""
    found: Counter[str] = Counter()
    for row in rows:
        if row["kind"] == "event" and row["ActionType"] == "ProcessCreated":
            found[row["ContainerId"]] += 1
        elif row["kind"] == "health" and row["ActionType"] == "ContainerGap":
            found[row["ContainerId"]] += row["Count"]
    return found


@pytest.mark.parametrize(
    ("count", "program", "paused"),
    [
        pytest.param(300, "/bin/true", False, id="stopped at once"),
        pytest.param(150, "/dev/shm/ledger-true", True, id="gone during a pause, files to be read"),
        pytest.param(6000, "/bin/true", True, id="ring full during a pause"),
    ],
)
def test_executions_are_rows_or_counted_losses(
    lab: labs.Lab, tmp_path: Path, count: int, program: str, *, paused: bool
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    subprocess.run(("cp", "/bin/true", "/dev/shm/ledger-true"), check=True)
    fifos = [tmp_path / f"go-{number}" for number in range(len(IDS))]
    for fifo in fifos:
        subprocess.run(("mkfifo", fifo), check=True)
    with start_sensor(lab, tmp_path, "--policy", str(tmp_path / "policy.yaml")) as sensor:
        with Cgroups() as cgroups:
            loops = [
                Loop(cgroups, f"{POD}{number}/{container}", fifo, program, count)
                for number, (container, fifo) in enumerate(zip(IDS, fifos, strict=True))
            ]
            if paused:
                sensor.process.send_signal(signal.SIGSTOP)
            for fifo in fifos:
                fifo.write_text("go\n")
            for loop in loops:
                assert loop.process.wait(200) == 0
        sensor.process.send_signal(signal.SIGCONT)
    rows = sensor.rows()
    other = [row for row in rows if row.get("ActionType") == "EventsLost" and row["Reason"] in LOST[1:]]

    assert counted(rows) == {container: loop.executions for container, loop in zip(IDS, loops, strict=True)}
    assert other == []
    if count > 1000:
        assert any(row.get("ActionType") == "ContainerGap" for row in rows)
