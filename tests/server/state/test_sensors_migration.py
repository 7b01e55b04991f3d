"""Taking over the sensors of a server that kept them in a database of their own.

``old_sensors.sql`` is the dump of such a database, made by the last version that wrote one.
"""

from __future__ import annotations

import datetime
import io
import logging
import sqlite3
import threading
from pathlib import Path

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations

from driftline.errors import StateError
from driftline.server.pki import Identity
from driftline.server.state import State, sensors
from driftline.server.state.migrations.versions import v0003_sensors
from driftline.server.state.sensors import SensorRecord
from driftline.wire.protocol import JoinToken

DUMP = (Path(__file__).parent / "old_sensors.sql").read_text()
USED, UNUSED = (JoinToken.parse(line.removeprefix("-- ")) for line in DUMP.splitlines()[:2])
NOW = datetime.datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
FIRST = Identity("31cfb887-df83-48ba-a4ba-eddb8f087cdd", "prod", "n1")


def old_database(directory: Path) -> Path:
    path = directory / "sensors.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(DUMP)
    connection.close()
    return path


def opened(directory: Path) -> State:
    state = State(f"sqlite:///{directory}/state.db")
    state.migrate(directory)
    return state


def listed(state: State) -> list[SensorRecord]:
    with state.reading() as session:
        return list(sensors.list_sensors(session))


def test_sensors_tokens_and_certificates_are_taken_over(tmp_path: Path) -> None:
    old_database(tmp_path)
    state = opened(tmp_path)

    first, replaced, revoked = listed(state)
    report = {"sensor": FIRST.sensor, "cluster": "prod", "node": "n1", "version": "0.1.0", "lost": 3}
    assert first == SensorRecord(
        identity=FIRST,
        enrolled=NOW,
        enrolled_by=f"token {USED.id}",
        revoked=None,
        revoked_for="",
        seen=NOW + datetime.timedelta(minutes=5),
        report=report,
        certificate_ends=NOW + datetime.timedelta(days=60),
    )
    assert (replaced.revoked, replaced.revoked_for) == (NOW + HOUR, f"replaced by {revoked.identity.sensor}")
    assert (revoked.revoked, revoked.revoked_for) == (NOW + 2 * HOUR, "stolen")
    with state.writing() as session:
        sensors.check_certificate(session, FIRST, "a1", now=NOW)
        assert [(it.id, it.used, it.sensor) for it in sensors.list_join_tokens(session)] == [
            (UNUSED.id, None, ""), (USED.id, NOW, FIRST.sensor)]  # fmt: skip
        assert sensors.enrol(session, UNUSED, node="n3", key="k", now=NOW).node == "n3"


def test_the_old_file_is_kept_under_another_name(tmp_path: Path) -> None:
    content = old_database(tmp_path).read_bytes()
    opened(tmp_path)

    assert not (tmp_path / "sensors.db").exists()
    assert (tmp_path / "sensors.db.migrated").read_bytes() == content


def test_a_crash_before_the_renaming_takes_nothing_over_twice(tmp_path: Path) -> None:
    old_database(tmp_path)
    opened(tmp_path)
    (tmp_path / "sensors.db.migrated").rename(tmp_path / "sensors.db")

    assert len(listed(opened(tmp_path))) == 3
    assert (tmp_path / "sensors.db.migrated").exists()


def test_a_file_of_an_old_server_started_again_is_told_and_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old_database(tmp_path)
    opened(tmp_path)
    old_database(tmp_path)
    with caplog.at_level(logging.WARNING):
        state = opened(tmp_path)

    assert len(listed(state)) == 3
    assert (tmp_path / "sensors.db").exists()
    assert "is ignored" in caplog.text


def test_processes_that_start_together_take_the_sensors_over_once(tmp_path: Path) -> None:
    old_database(tmp_path)
    threads = [threading.Thread(target=opened, args=(tmp_path,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(listed(opened(tmp_path))) == 3


def test_an_old_file_that_is_no_database_stops_the_start_and_stays(tmp_path: Path) -> None:
    (tmp_path / "sensors.db").write_bytes(b"no database" * 100)

    with pytest.raises(StateError, match=r"the sensors in .*sensors\.db could not be taken over"):
        opened(tmp_path)
    assert (tmp_path / "sensors.db").exists()


def test_an_old_file_without_tables_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "sensors.db").touch()

    assert listed(opened(tmp_path)) == []
    assert (tmp_path / "sensors.db.migrated").exists()


def test_postgresql_gets_the_tables_too() -> None:
    printed = io.StringIO()
    context = MigrationContext.configure(dialect_name="postgresql", opts={"as_sql": True, "output_buffer": printed})
    with Operations.context(context):
        v0003_sensors.upgrade()

    assert printed.getvalue().count("CREATE TABLE") == 3
    assert "TIMESTAMP WITH TIME ZONE" in printed.getvalue()
