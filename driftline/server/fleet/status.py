"""The fleet: what each sensor last said of itself, and what of that is worth an alert.

Pure: states and times in, states and conditions out. A state grows from what came with each
batch (the sensor's clock and version) and from its ``SensorHealth`` rows; rows may come late and
out of order, so the newest by its own time counts.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from driftline.events import SensorHealth
from driftline.server.pki import Identity

__all__ = ["CONDITIONS", "Condition", "SensorState", "Thresholds", "conditions", "grown", "heard", "new_state"]

Time = datetime.datetime
_LOSSES_KEPT = 32


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """From when on a condition holds."""

    silent: datetime.timedelta = datetime.timedelta(minutes=2)
    """No word for so long; a sensor sends a heartbeat each 15 seconds."""
    clock: datetime.timedelta = datetime.timedelta(seconds=30)
    """How far its clock may be off."""
    loss_window: datetime.timedelta = datetime.timedelta(minutes=10)
    """Losses of that time count."""
    losses: int = 1
    """So many lost events are worth an alert."""
    tampering: datetime.timedelta = datetime.timedelta(hours=1)
    """So long tampering is told, though the sensor was started again."""
    heard_from: Time | None = None
    """Since when the server listens: before that, silence is its own."""


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """Events that a sensor said it lost."""

    time: Time
    reason: str
    count: int


class SensorState(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one sensor. Times are UTC."""

    sensor: str
    cluster: str
    node: str
    seen: Time | None = None
    """When it last sent anything, by the server's clock."""
    clock_skew: float = 0.0
    """Its clock less the server's in seconds, the way of the request included."""
    version: str = ""
    report_time: Time | None = None
    """Of the newest heartbeat, by the sensor's clock."""
    kernel: Mapping[str, Any] = {}
    """Kernel release and features, as the sensor found them."""
    coverage: Mapping[str, Any] = {}
    """What it sees, and by which means."""
    block_mode: str = ""
    policy: str = ""
    """Version of the policy it runs."""
    losses: tuple[Loss, ...] = ()
    """The latest, newest last."""
    lost: int = 0
    """Events lost, ever."""
    stopped: Time | None = None
    """When it said that it stops; ``None`` while it runs."""
    tampered: str = ""
    """What was done to it, in words; empty if nothing."""
    tampered_time: Time | None = None


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """Something about a sensor that people should know; ``kind`` and sensor are its identity."""

    kind: str
    sensor: str
    cluster: str
    node: str
    severity: str
    title: str
    detail: str
    since: Time


def new_state(identity: Identity) -> SensorState:
    """Give the state of a sensor nothing is known of."""
    return SensorState(sensor=identity.sensor, cluster=identity.cluster, node=identity.node)


def heard(state: SensorState, *, now: Time, clock: Time | None, version: str) -> SensorState:
    """Take that a request came: its headers say the sensor's clock and version."""
    skew = (clock - now).total_seconds() if clock else state.clock_skew
    return msgspec.structs.replace(state, seen=now, clock_skew=round(skew, 3), version=version or state.version)


def grown(state: SensorState, rows: Iterable[SensorHealth]) -> SensorState:
    """Take what a sensor says of itself, oldest first."""
    for row in sorted(rows, key=lambda row: row.Timestamp):
        take = _TAKERS.get(row.ActionType)
        state = take(state, row) if take else state
    return state


def _take_start(state: SensorState, row: SensorHealth) -> SensorState:
    return msgspec.structs.replace(state, stopped=None)


def _take_heartbeat(state: SensorState, row: SensorHealth) -> SensorState:
    if state.report_time and row.Timestamp < state.report_time:
        return state
    said = row.AdditionalFields
    coverage = _bag(said, "Coverage")
    return msgspec.structs.replace(
        state,
        report_time=row.Timestamp,
        kernel=_bag(said, "Kernel"),
        coverage=coverage,
        block_mode=str(coverage.get("blocking", "")),
        policy=str(said.get("Policy", "")),
    )


def _take_loss(state: SensorState, row: SensorHealth) -> SensorState:
    count = row.Count or 0
    loss = Loss(time=row.Timestamp, reason=row.Reason, count=count)
    return msgspec.structs.replace(state, losses=(*state.losses, loss)[-_LOSSES_KEPT:], lost=state.lost + count)


def _take_stop(state: SensorState, row: SensorHealth) -> SensorState:
    return msgspec.structs.replace(state, stopped=row.Timestamp)


def _take_tampering(state: SensorState, row: SensorHealth) -> SensorState:
    return msgspec.structs.replace(state, tampered=row.Reason or row.ActionType, tampered_time=row.Timestamp)


_TAKERS: Mapping[str, Callable[[SensorState, SensorHealth], SensorState]] = {
    "SensorStarted": _take_start,
    "Heartbeat": _take_heartbeat,
    "EventsLost": _take_loss,
    "SensorStopped": _take_stop,
    "SensorKilled": _take_tampering,
    "SensorTampered": _take_tampering,
}


def _bag(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = said.get(name)
    return found if isinstance(found, dict) else {}


def conditions(state: SensorState, *, now: Time, thresholds: Thresholds | None = None) -> Sequence[Condition]:
    """Say what about a sensor people should know as of now."""
    limits = thresholds or Thresholds()
    return [found for check in CONDITIONS.values() if (found := check(state, now, limits))]


def _silent(state: SensorState, now: Time, limits: Thresholds) -> Condition | None:
    if state.seen is None or state.stopped:
        return None
    if now - max(state.seen, limits.heard_from or state.seen) <= limits.silent:
        return None
    detail = f"nothing came from it since {state.seen.isoformat()}, and it did not say that it stops"
    return _condition(state, "silent", "High", "Sensor fell silent", detail, since=state.seen)


def _clock_off(state: SensorState, now: Time, limits: Thresholds) -> Condition | None:
    if abs(state.clock_skew) <= limits.clock.total_seconds():
        return None
    way = "ahead of" if state.clock_skew > 0 else "behind"
    detail = f"its clock is {abs(state.clock_skew):.0f} s {way} the server's; its events have wrong times"
    return _condition(state, "clock-off", "Medium", "Sensor's clock is off", detail, since=state.seen or now)


def _losing(state: SensorState, now: Time, limits: Thresholds) -> Condition | None:
    recent = [loss for loss in state.losses if now - loss.time <= limits.loss_window]
    count = sum(loss.count for loss in recent)
    if count < limits.losses:
        return None
    reasons = ", ".join(sorted({loss.reason for loss in recent}))
    detail = f"{count} events were lost ({reasons})"
    return _condition(state, "losses", "Medium", "Sensor loses events", detail, since=recent[0].time)


def _tampered(state: SensorState, now: Time, limits: Thresholds) -> Condition | None:
    since = state.tampered_time
    if since is None or now - since > limits.tampering:
        return None
    return _condition(state, "tampered", "High", "Sensor was tampered with", state.tampered, since=since)


CONDITIONS: Mapping[str, Callable[[SensorState, Time, Thresholds], Condition | None]] = {
    "silent": _silent,
    "clock-off": _clock_off,
    "losses": _losing,
    "tampered": _tampered,
}
"""Each condition's name and check."""


def _condition(state: SensorState, kind: str, severity: str, title: str, detail: str, *, since: Time) -> Condition:
    place = {"sensor": state.sensor, "cluster": state.cluster, "node": state.node}
    return Condition(
        kind=kind, severity=severity, title=f"{title} on {state.node}", detail=detail, since=since, **place
    )
