"""``driftline fleet`` on the command line."""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path

from driftline.server.sensors import open_sensors
from driftline.wire.protocol import JoinToken


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "driftline.cli", "fleet", *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"COLUMNS": "200"})


def test_a_token_lets_one_join_and_the_sensor_is_listed_and_revoked(tmp_path: Path) -> None:
    token = JoinToken.parse(run("token", "prod", "--data", tmp_path).stdout)
    register = open_sensors(tmp_path)
    identity = register.enrol(token, node="n1", key="k", now=datetime.datetime.now(datetime.UTC))

    listed = run("sensors", "--data", tmp_path).stdout
    assert all(word in listed for word in ("prod", "n1", identity.sensor, "never", "fine"))
    assert run("revoke", identity.sensor, "--reason", "stolen", "--data", tmp_path).returncode == 0
    assert "revoked: stolen" in run("sensors", "--data", tmp_path).stdout


def test_a_sensor_nobody_knows_is_said(tmp_path: Path) -> None:
    done = run("revoke", "x", "--data", tmp_path)

    assert (done.returncode, "no sensor 'x'" in done.stderr) == (1, True)
