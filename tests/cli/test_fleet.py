"""``driftline fleet`` on the command line."""

from __future__ import annotations

import datetime
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from driftline.sensor.shipping import credentials
from driftline.server.state import sensors
from driftline.wire.protocol import JoinToken
from tests.server import serving
from tests.server.gateways import open_state


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Served]:
    with serving.serve(tmp_path_factory.mktemp("server"), sensors=True) as running:
        yield running


def run(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "driftline.cli", "fleet", *arguments)
    variables = {"COLUMNS": "250", **(environment or {})}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=variables)


def by_api(served: serving.Served, *arguments: str) -> subprocess.CompletedProcess[str]:
    token = served.admin.headers["Authorization"].removeprefix("Bearer ")
    ca = str(served.data / "pki" / "ca.pem")
    login = {"DRIFTLINE_SERVER": served.url, "DRIFTLINE_TOKEN": token, "DRIFTLINE_CA": ca}
    return run(*arguments, environment=login)


def test_a_sensor_enrolled_with_a_token_is_listed_and_revoked(tmp_path: Path) -> None:
    token = JoinToken.parse(run("token", "prod", "--data", tmp_path).stdout)
    with open_state(tmp_path).writing() as session:
        identity = sensors.enrol(session, token, node="n1", key="k", now=datetime.datetime.now(datetime.UTC))

    listed = run("sensors", "--data", tmp_path).stdout
    assert all(word in listed for word in ("prod", "n1", identity.sensor, "never", "fine"))
    assert run("revoke", identity.sensor, "--reason", "stolen", "--data", tmp_path).returncode == 0
    assert identity.sensor not in run("sensors", "--data", tmp_path).stdout
    assert "revoked: stolen" in run("sensors", "--revoked", "--data", tmp_path).stdout


def test_revoking_an_unknown_sensor_fails(tmp_path: Path) -> None:
    done = run("revoke", "x", "--data", tmp_path)

    assert (done.returncode, "no sensor with an id that begins with 'x'" in done.stderr) == (1, True)


def test_without_a_data_directory_the_api_is_used(served: serving.Served, tmp_path: Path) -> None:
    token = by_api(served, "token", "asked").stdout.strip()
    known = credentials.enrol(tmp_path, served.url, token=token, node="n1")
    served.admin.put("/policies/asked", json={"text": "rules: []"})

    listed = by_api(served, "sensors", "--cluster", "asked").stdout
    revoked = by_api(served, "revoke", known.identity.sensor, "--reason", "stolen")

    assert all(word in listed for word in ("asked", "n1", "unknown, not yet asked:1", "fine"))
    assert revoked.returncode == 0
    assert "revoked: stolen" in by_api(served, "sensors", "--cluster", "asked", "--revoked").stdout


def test_without_a_login_the_error_names_driftline_login(tmp_path: Path) -> None:
    done = run("sensors", environment={"DRIFTLINE_CREDENTIALS": str(tmp_path / "none")})

    assert (done.returncode, "driftline login" in done.stderr) == (1, True)
