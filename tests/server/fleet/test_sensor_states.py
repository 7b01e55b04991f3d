"""The states of all sensors: grown by batches, kept over a restart."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
import sqlalchemy

from driftline import wire
from driftline.events import SensorHealth
from driftline.server.fleet.sensor_states import Ledger
from driftline.server.pki import Identity
from driftline.server.sensors import Sensors
from tests.wire.making import NOW


@pytest.fixture
def sensors(tmp_path: Path) -> Sensors:
    return Sensors(sqlalchemy.create_engine(f"sqlite:///{tmp_path}/state.db"))


def enrolled(sensors: Sensors) -> Identity:
    return sensors.enrol_account(cluster="c", node="n", subject="s", now=NOW)


def heartbeat() -> SensorHealth:
    return SensorHealth(Timestamp=NOW, ActionType="Heartbeat", AdditionalFields={"Policy": "7"})


def test_a_state_grows_and_outlives_the_process(sensors: Sensors) -> None:
    identity = enrolled(sensors)
    ledger = Ledger(sensors)
    ledger.hear(identity, {"SensorHealth": wire.table("SensorHealth", [heartbeat()])}, now=NOW, clock=NOW, version="1")
    ledger.save()

    assert Ledger(sensors).states() == ledger.states()
    (state,) = ledger.states()
    assert (state.policy, state.version, state.seen) == ("7", "1", NOW)


def test_conditions_are_those_of_all_sensors(sensors: Sensors) -> None:
    identity = enrolled(sensors)
    ledger = Ledger(sensors)
    ledger.hear(identity, {}, now=NOW)

    assert [it.kind for it in ledger.conditions(now=NOW + datetime.timedelta(hours=1))] == ["silent"]


def test_a_revoked_sensor_is_left_out(sensors: Sensors) -> None:
    identity = enrolled(sensors)
    ledger = Ledger(sensors)
    ledger.forget(identity.sensor)
    sensors.revoke(identity.sensor, reason="gone", now=NOW)

    assert (ledger.states(), Ledger(sensors).states()) == ([], [])


def test_a_replaced_sensor_is_not_silent(sensors: Sensors) -> None:
    former = enrolled(sensors)
    ledger = Ledger(sensors)
    ledger.hear(former, {}, now=NOW)
    ledger.replace(enrolled(sensors))

    assert ledger.conditions(now=NOW + datetime.timedelta(hours=1)) == []
