"""Replacement of the certificate authority of a server that runs, by the command."""

from __future__ import annotations

import ssl
import subprocess
import sys
from pathlib import Path

from driftline import wire
from tests.server import sensors, serving
from tests.server.gateways import send
from tests.wire import making


def authority(name: str, data: Path) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "driftline.cli", "server", "authority", name, "--data", str(data))
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_authority_is_replaced_while_the_server_runs(tmp_path: Path) -> None:
    with serving.serve(tmp_path, sensors=True) as served:
        former = (served.data / "pki" / "ca.pem").read_text()
        sensor = sensors.enrolled(served)
        assert "former one" not in authority("show", served.data).stdout
        assert authority("rotate", served.data).returncode == 0
        new = (served.data / "pki" / "ca.pem").read_text()

        serving.wait_until(lambda: serving.answers(served.url, ssl.create_default_context(cadata=new)))
        assert new != former
        assert serving.answers(served.url, ssl.create_default_context(cadata=former))
        assert send(sensor, wire.encode(making.events("a")), 1).json()["stored"] == 1
        assert send(sensors.enrolled(served, "other"), wire.encode(making.events("a")), 1).status_code == 403
        again = authority("rotate", served.data)

    assert "trusted until" in authority("show", served.data).stdout
    assert (again.returncode, "expected to wait until" in again.stderr) == (2, True)


def test_a_directory_without_an_authority_is_refused(tmp_path: Path) -> None:
    done = authority("rotate", tmp_path)

    assert (done.returncode, "has no certificate authority" in done.stderr) == (2, True)
