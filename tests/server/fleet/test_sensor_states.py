"""The states of all sensors: updated by batches, kept over a restart."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from driftline import wire
from driftline.events import SensorHealth
from driftline.server.fleet.sensor_states import SensorStates
from driftline.server.pki import Identity
from driftline.server.state import State, sensors
from tests.server.gateways import open_state
from tests.wire.making import NOW


@pytest.fixture
def state(tmp_path: Path) -> State:
    return open_state(tmp_path)


def enrolled(state: State) -> Identity:
    with state.writing() as session:
        return sensors.enrol_account(session, cluster="c", node="n", subject="s", now=NOW)


def heartbeat() -> SensorHealth:
    return SensorHealth(Timestamp=NOW, ActionType="Heartbeat", AdditionalFields={"Policy": "7"})


def test_a_state_is_updated_by_batches_and_survives_a_restart(state: State) -> None:
    identity = enrolled(state)
    sensor_states = SensorStates(state)
    sensor_states.record(
        identity, {"SensorHealth": wire.table("SensorHealth", [heartbeat()])}, now=NOW, clock=NOW, version="1"
    )
    sensor_states.save()

    assert SensorStates(state).states() == sensor_states.states()
    (sensor,) = sensor_states.states()
    assert (sensor.policy, sensor.version, sensor.seen) == ("7", "1", NOW)


def test_conditions_of_all_sensors_are_listed(state: State) -> None:
    identity = enrolled(state)
    sensor_states = SensorStates(state)
    sensor_states.record(identity, {}, now=NOW)

    assert [it.kind for it in sensor_states.conditions(now=NOW + datetime.timedelta(hours=1))] == ["silent"]


def test_a_revoked_sensor_has_no_state(state: State) -> None:
    identity = enrolled(state)
    sensor_states = SensorStates(state)
    sensor_states.forget(identity.sensor)
    with state.writing() as session:
        sensors.revoke(session, identity.sensor, reason="gone", now=NOW)

    assert (sensor_states.states(), SensorStates(state).states()) == ([], [])


def test_a_replaced_sensor_is_not_silent(state: State) -> None:
    former = enrolled(state)
    sensor_states = SensorStates(state)
    sensor_states.record(former, {}, now=NOW)
    sensor_states.replace(enrolled(state))

    assert sensor_states.conditions(now=NOW + datetime.timedelta(hours=1)) == []
