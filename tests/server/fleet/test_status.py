"""What is worth an alert about a sensor, as pure functions of its state and the time."""

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


def test_a_sensor_that_just_sent_is_fine() -> None:
    assert kinds(STATE) == []


def test_silence_is_told_unless_it_said_that_it_stops() -> None:
    assert kinds(STATE, after(minutes=3)) == ["silent"]
    assert kinds(status.with_rows(STATE, [row("SensorStopped")]), after(minutes=3)) == []
    restarted = status.with_rows(STATE, [row("SensorStopped"), row("SensorStarted", after(seconds=1))])
    assert kinds(restarted, after(minutes=3)) == ["silent"]


@pytest.mark.parametrize(("seconds", "way"), [(90.0, "ahead of"), (-90.0, "behind")])
def test_a_clock_that_is_off_is_told_with_its_way(seconds: float, way: str) -> None:
    (found,) = status.conditions(status.with_contact(STATE, now=NOW, clock=after(seconds=seconds), version=""), now=NOW)

    assert (found.kind, f"90 s {way} the server's" in found.detail) == ("clock-off", True)


def test_losses_count_for_ten_minutes() -> None:
    state = status.with_rows(
        STATE, [row("EventsLost", Reason="ring", Count=3), row("EventsLost", Reason="spool", Count=4)]
    )
    (found,) = status.conditions(state, now=NOW)

    assert (state.lost, found.detail) == (7, "7 events were lost (ring, spool)")
    assert "losses" not in kinds(state, after(minutes=11))


def test_silence_while_the_server_was_away_is_none_of_the_sensor_s() -> None:
    late = after(minutes=3)
    limits = status.Thresholds(heard_from=after(minutes=2))

    assert status.conditions(STATE, now=late, thresholds=limits) == []
    assert [it.kind for it in status.conditions(STATE, now=after(minutes=5), thresholds=limits)] == ["silent"]


def test_tampering_is_told_though_the_sensor_was_started_again() -> None:
    state = status.with_rows(STATE, [row("SensorKilled", Reason="its process was killed by signal 9")])
    state = status.with_rows(state, [row("SensorStarted", after(seconds=1))])

    assert [found.detail for found in status.conditions(state, now=NOW)] == ["its process was killed by signal 9"]
    assert "tampered" not in kinds(state, after(minutes=61))


def test_the_newest_heartbeat_counts_whatever_comes_late() -> None:
    new = {"Kernel": {"release": "6.18"}, "Coverage": {"blocking": "lsm"}, "Policy": "7"}
    state = status.with_rows(STATE, [row("Heartbeat", after(seconds=5), AdditionalFields=new)])
    state = status.with_rows(state, [row("Heartbeat", NOW, AdditionalFields={"Policy": "6"})])

    assert (state.kernel, state.block_mode, state.policy) == ({"release": "6.18"}, "lsm", "7")


def test_what_it_says_amiss_is_passed_over() -> None:
    state = status.with_rows(
        STATE, [row("Heartbeat", AdditionalFields={"Kernel": 7}), row("Nonsense"), row("EventsLost")]
    )

    assert (state.kernel, state.lost) == ({}, 0)
