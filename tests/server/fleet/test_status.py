"""Conditions of a sensor that deserve an alert, as functions of its state and the time."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from driftline.events import SensorHealth
from driftline.server.fleet import status
from driftline.server.pki import Identity
from tests.wire.making import NOW

STATE = status.with_contact(status.new_state(Identity("s", "c", "n")), now=NOW, clock=NOW, version="1")


def after(**passed: float) -> datetime.datetime:
    return NOW + datetime.timedelta(**passed)


def row(action: str, when: datetime.datetime = NOW, **columns: Any) -> SensorHealth:
    return SensorHealth(Timestamp=when, ActionType=action, **columns)


def kinds(state: status.SensorState, now: datetime.datetime = NOW) -> list[str]:
    return [found.kind for found in status.conditions(state, now=now)]


def test_a_sensor_that_just_sent_has_no_conditions() -> None:
    assert kinds(STATE) == []


def test_silence_is_a_condition_unless_a_stop_was_reported() -> None:
    assert kinds(STATE, after(minutes=3)) == ["silent"]
    assert kinds(status.with_rows(STATE, [row("SensorStopped")]), after(minutes=3)) == []
    restarted = status.with_rows(STATE, [row("SensorStopped"), row("SensorStarted", after(seconds=1))])
    assert kinds(restarted, after(minutes=3)) == ["silent"]


@pytest.mark.parametrize(("seconds", "way"), [(90.0, "ahead of"), (-90.0, "behind")])
def test_a_clock_off_is_a_condition_with_its_direction(seconds: float, way: str) -> None:
    (found,) = status.conditions(status.with_contact(STATE, now=NOW, clock=after(seconds=seconds), version=""), now=NOW)

    assert (found.kind, f"90 s {way} the server's" in found.detail) == ("clock-off", True)


def test_losses_count_for_ten_minutes() -> None:
    state = status.with_rows(
        STATE, [row("EventsLost", Reason="ring", Count=3), row("EventsLost", Reason="spool", Count=4)]
    )
    (found,) = status.conditions(state, now=NOW)

    assert (state.lost, found.detail) == (7, "7 events were lost (ring, spool)")
    assert "losses" not in kinds(state, after(minutes=11))


def test_silence_before_the_server_started_does_not_count() -> None:
    late = after(minutes=3)
    limits = status.Thresholds(heard_from=after(minutes=2))

    assert status.conditions(STATE, now=late, thresholds=limits) == []
    assert [it.kind for it in status.conditions(STATE, now=after(minutes=5), thresholds=limits)] == ["silent"]


def test_tampering_is_a_condition_after_a_restart_of_the_sensor() -> None:
    state = status.with_rows(STATE, [row("SensorKilled", Reason="its process was killed by signal 9")])
    state = status.with_rows(state, [row("SensorStarted", after(seconds=1))])

    assert [found.detail for found in status.conditions(state, now=NOW)] == ["its process was killed by signal 9"]
    assert "tampered" not in kinds(state, after(minutes=61))


def test_a_late_heartbeat_does_not_replace_a_newer_one() -> None:
    new = {"Kernel": {"release": "6.18"}, "Coverage": {"blocking": "lsm"}, "Policy": "7"}
    state = status.with_rows(STATE, [row("Heartbeat", after(seconds=5), AdditionalFields=new)])
    state = status.with_rows(state, [row("Heartbeat", NOW, AdditionalFields={"Policy": "6"})])

    assert (state.kernel, state.block_mode, state.policy) == ({"release": "6.18"}, "lsm", "7")


def test_invalid_fields_of_a_heartbeat_are_ignored() -> None:
    state = status.with_rows(
        STATE, [row("Heartbeat", AdditionalFields={"Kernel": 7}), row("Nonsense"), row("EventsLost")]
    )

    assert (state.kernel, state.lost) == ({}, 0)


def test_a_refused_batch_is_a_condition_that_names_the_reasons() -> None:
    state = STATE
    for minute, reason in ((0, "alerts"), (0, "alerts"), (1, "batch")):
        state = status.with_refusal(state, reason, now=after(minutes=minute))

    (found,) = status.conditions(state, now=after(seconds=70))
    assert (found.kind, state.refused) == ("refused", 3)
    assert found.detail == (
        "batches refused: 2 for too many alerts or rows of evidence; 1 for an invalid batch, or rows of another node"
    )
    assert "refused" not in kinds(state, after(minutes=12))


def test_batches_without_room_are_a_condition_when_they_are_many() -> None:
    state = STATE
    for _ in range(19):
        state = status.with_refusal(state, "room", now=NOW)
    assert kinds(state) == []

    assert kinds(status.with_refusal(state, "store", now=NOW)) == ["refused"]


def test_refusals_of_a_state_are_bounded() -> None:
    state = STATE
    for minute in range(100):
        state = status.with_refusal(state, "room", now=after(minutes=minute))

    assert (len(state.refusals), state.refused) == (32, 100)
