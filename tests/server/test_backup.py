"""Backup of a running server, and its restore elsewhere, where its sensor goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from driftline import wire
from driftline.errors import InvalidInput
from driftline.server import backup, pki
from driftline.server.state import State
from tests.server import sensors, serving
from tests.server.gateways import now, send
from tests.wire import making

PASSPHRASE = "correct horse battery"
pytestmark = pytest.mark.timeout(300)


def command(*arguments: str | Path, passphrase: str = PASSPHRASE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", "driftline.cli", "server", *map(str, arguments)),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "DRIFTLINE_PASSPHRASE": passphrase},
    )


def places(directory: Path) -> tuple[str, ...]:
    return "--data", str(directory / "data"), "--store", str(directory / "store")


def test_a_restored_server_goes_on_with_its_users_rows_and_sensors(tmp_path: Path) -> None:
    former, later, copy = tmp_path / "former", tmp_path / "later", tmp_path / "copy"
    with serving.serve(former, sensors=True) as served:
        served.user("ada", "viewer")
        sensor = sensors.enrolled(served)
        assert send(sensor, wire.encode(making.events("a", "b")), 1).json()["stored"] == 2
        authorization = served.admin.headers["Authorization"]
        done = command("backup", copy, *places(former))
        assert done.returncode == 0, done.stderr
        assert serving.stop(served.process) == 0
        assert command("restore", copy, *places(later), passphrase="wrong passphrase").returncode != 0
        done = command("restore", copy, *places(later))
        assert done.returncode == 0, done.stderr
        (former / "port").rename(later / "port")
        process = serving.start(later, "--set", "sensor_names=localhost")
        try:
            serving.wait_until(lambda: serving.answers(served.url, served.trust))
            repeated = send(sensor, wire.encode(making.events("a", "b")), 1).json()["stored"]
            further = send(sensor, wire.encode(making.events("c")), 3).json()["stored"]
            with httpx.Client(
                base_url=served.url, verify=served.trust, headers={"Authorization": authorization}
            ) as http:
                names = {it["name"] for it in http.get("/api/v1/users").json()["items"]}
                found = http.post("/api/v1/hunt", json={"query": "CloudProcessEvents | count"}).json()["rows"]
        finally:
            serving.stop(process)

    assert (repeated, further, names) == (0, 1, {"root", "ada"})
    assert found == [{"Count": 3}]
    assert b"ENCRYPTED" in (copy / "pki" / "ca.key").read_bytes()
    assert not [path for path in (copy, *copy.rglob("*")) if path.stat().st_mode & 0o077]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Back up a server without rows."""
    data = tmp_path / "data"
    pki.rotate(data / "pki", now=now())
    State(f"sqlite:///{data}/state.db").migrate()
    backup.back_up(
        tmp_path / "copy",
        url=f"sqlite:///{data}/state.db",
        data=data,
        store=tmp_path / "store",
        passphrase=PASSPHRASE,
    )
    return tmp_path / "copy"


def restore(copy: Path, name: str = "new", passphrase: str = PASSPHRASE) -> Path:
    target = copy.parent / name
    backup.restore(copy, data=target / "data", store=target / "store", passphrase=passphrase)
    return target


def test_the_authority_is_the_same_after_a_restore(made: Path) -> None:
    first = pki.open_authority(made.parent / "data" / "pki", now=now())
    second = pki.open_authority(restore(made) / "data" / "pki", now=now())

    assert (second.trusted_pem, second.key.private_numbers()) == (first.trusted_pem, first.key.private_numbers())
    assert second.overlap_ends == first.overlap_ends is not None


@pytest.mark.parametrize("name", ["state.db", "pki/ca.pem", "pki/ca.key"])
def test_a_changed_or_missing_file_restores_nothing(made: Path, name: str) -> None:
    data = (made / name).read_bytes()
    (made / name).write_bytes(data[:-1] + b"x")
    with pytest.raises(InvalidInput, match="differs from the backup"):
        restore(made)
    (made / name).unlink()
    with pytest.raises(InvalidInput, match="expected exactly the files"):
        restore(made)

    assert not (made.parent / "new").exists()


def test_a_wrong_passphrase_an_unfinished_backup_and_used_places_are_refused(made: Path) -> None:
    with pytest.raises(InvalidInput, match="passphrase is not that of the backup"):
        restore(made, passphrase="another one altogether")
    with pytest.raises(InvalidInput, match="is not empty"):
        backup.restore(made, data=made.parent / "data", store=made.parent / "s", passphrase=PASSPHRASE)
    (made / "manifest.json").unlink()
    with pytest.raises(InvalidInput, match="not a complete backup"):
        restore(made)


def test_short_passphrases_used_names_and_other_databases_are_refused(made: Path, tmp_path: Path) -> None:
    at = {"data": tmp_path / "data", "store": tmp_path / "store"}
    url = f"sqlite:///{tmp_path}/data/state.db"
    with pytest.raises(InvalidInput, match="at least 12 characters"):
        backup.back_up(tmp_path / "x", url=url, **at, passphrase="short")
    with pytest.raises(InvalidInput, match="exists"):
        backup.back_up(made, url=url, **at, passphrase=PASSPHRASE)
    with pytest.raises(InvalidInput, match="pg_dump"):
        State("postgresql+psycopg://nobody@/none").copy_to(tmp_path / "y")
