from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from driftline.sensor.reporting import run_markers
from driftline.sensor.reporting.run_markers import RunMarker

LIVE = (
    "import sys, pathlib; from driftline.sensor.reporting.run_markers import RunMarker; "
    "run = RunMarker(pathlib.Path(sys.argv[1]), 'killed'); "
)


def kill_one(directory: Path) -> None:
    command = (sys.executable, "-c", LIVE + "print(flush=True); sys.stdin.read()", str(directory))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert RunMarker(directory, "beside").killed == ()  # it lives
        os.kill(process.pid, signal.SIGKILL)


def test_a_killed_run_is_reported_once_with_its_last_sign_of_life(tmp_path: Path) -> None:
    kill_one(tmp_path)
    os.utime(tmp_path / "runs" / "killed", (1_700_000_000, 1_700_000_000))

    (killed,) = (it for it in RunMarker(tmp_path, "next").killed if it.run == "killed")

    assert killed.same_boot
    assert killed.reason() == (
        "the run killed ended without saying that it stops; it was last alive at 2023-11-14T22:13:20+00:00"
    )
    assert "killed" not in os.listdir(tmp_path / "runs")


def test_a_clean_stop_leaves_no_marker(tmp_path: Path) -> None:
    run = RunMarker(tmp_path, "one")
    run.touch()
    run.stop()
    run.stop()

    assert RunMarker(tmp_path, "two").killed == ()


def test_a_killed_run_before_a_reboot_names_the_reboot(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "old").write_text("another-boot\n")

    (killed,) = RunMarker(tmp_path, "new").killed

    assert killed.reason().endswith(", and the node was restarted since")


def test_a_removed_marker_is_not_reported(tmp_path: Path) -> None:
    kill_one(tmp_path)
    run_markers.remove(tmp_path, "killed")

    assert "killed" not in [it.run for it in RunMarker(tmp_path, "next").killed]
