"""The state of a sensor, and the conditions in it that deserve an alert; pure.

A state is updated by the headers of each batch (the sensor's clock and version) and by its ``SensorHealth`` rows. Rows
may arrive late and out of order, so the heartbeat that is newest by its own time counts.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from driftline.events import SensorHealth
from driftline.server.pki import Identity

__all__ = [
    "CONDITIONS",
    "Condition",
    "SensorState",
    "Thresholds",
    "conditions",
    "disk_low",
    "new_state",
    "with_contact",
    "with_refusal",
    "with_rows",
]

Time = datetime.datetime
_LOSSES_KEPT = 32  # bounds the size of a state
_REFUSALS_TOGETHER = datetime.timedelta(minutes=1)


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """Limits beyond which a condition is met."""

    silent: datetime.timedelta = datetime.timedelta(minutes=2)
    """Time without a batch after which a sensor is silent; it sends a heartbeat every 15 seconds."""
    clock: datetime.timedelta = datetime.timedelta(seconds=30)
    """Accepted difference between the clocks of the sensor and the server."""
    loss_window: datetime.timedelta = datetime.timedelta(minutes=10)
    """Time for which a loss counts."""
    losses: int = 1
    """Number of events lost within the window that deserves an alert."""
    refusals: int = 20
    """Number of batches within the loss window that the server had no room for that deserves an alert."""
    tampering: datetime.timedelta = datetime.timedelta(hours=1)
    """Time for which tampering remains a condition, even if the sensor was started again."""
    heard_from: Time | None = None
    """Time since which the server listens, UTC; silence before it is not the sensor's. ``None``: always."""


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """A loss that a sensor reported."""

    time: Time
    reason: str
    count: int


class SensorState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one sensor. Times are UTC."""

    sensor: str
    cluster: str
    node: str
    seen: Time | None = None
    """Time of the last batch, by the server's clock; ``None`` before the first."""
    clock_skew: float = 0.0
    """The sensor's clock minus the server's, in seconds; includes the time that the request took."""
    version: str = ""
    report_time: Time | None = None
    """Time of the newest heartbeat, by the sensor's clock; ``None`` before the first."""
    kernel: Mapping[str, Any] = {}
    """Kernel release and eBPF features that the sensor found."""
    coverage: Mapping[str, Any] = {}
    """Observed activities, and the kernel mechanism for each."""
    block_mode: str = ""
    policy: str = ""
    """The policy that the sensor runs: ``NAME:VERSION``, a file, or ``built in``."""
    losses: tuple[Loss, ...] = ()
    """The latest 32 losses, newest last."""
    lost: int = 0
    """Number of events lost since the enrolment."""
    refusals: tuple[Loss, ...] = ()
    """The latest 32 minutes and reasons for which batches were refused, newest last, with the number of batches."""
    refused: int = 0
    """Number of batches refused since the enrolment."""
    stopped: Time | None = None
    """Time at which the sensor reported its stop; ``None`` while it runs."""
    tampered: str = ""
    """Description of the last tampering; empty if there was none."""
    tampered_time: Time | None = None


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """A condition of a sensor that deserves an alert; identified by its ``kind`` and the sensor."""

    kind: str
    sensor: str
    cluster: str
    node: str
    severity: str
    title: str
    detail: str
    since: Time


def new_state(identity: Identity) -> SensorState:
    """Return the state of a sensor that has not sent a batch yet."""
    return SensorState(sensor=identity.sensor, cluster=identity.cluster, node=identity.node)


def with_contact(state: SensorState, *, now: Time, clock: Time | None, version: str) -> SensorState:
    """Return a state after a request with the sensor's clock and version; ``None`` and "" keep the known ones."""
    skew = (clock - now).total_seconds() if clock else state.clock_skew
    return msgspec.structs.replace(state, seen=now, clock_skew=round(skew, 3), version=version or state.version)


def with_refusal(state: SensorState, reason: str, *, now: Time) -> SensorState:
    """Return a state after a batch that was refused; refusals of one reason within a minute are counted together."""
    *earlier, last = state.refusals or (Loss(time=now, reason=reason, count=0),)
    if last.reason == reason and now - last.time < _REFUSALS_TOGETHER:
        refusals = (*earlier, msgspec.structs.replace(last, count=last.count + 1))
    else:
        refusals = (*earlier, last, Loss(time=now, reason=reason, count=1))
    return msgspec.structs.replace(state, refusals=refusals[-_LOSSES_KEPT:], refused=state.refused + 1)


def with_rows(state: SensorState, rows: Iterable[SensorHealth]) -> SensorState:
    """Return a state after ``SensorHealth`` rows, applied in the order of their times."""
    for row in sorted(rows, key=lambda row: row.Timestamp):
        take = _TAKERS.get(row.ActionType)
        state = take(state, row) if take else state
    return state


def _take_start(state: SensorState, row: SensorHealth) -> SensorState:
    return msgspec.structs.replace(state, stopped=None)


# A heartbeat has the whole report, so the newest one replaces the values of all earlier ones.
def _take_heartbeat(state: SensorState, row: SensorHealth) -> SensorState:
    if state.report_time and row.Timestamp < state.report_time:  # a late one
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


# Rows come from nodes that may be compromised: a field of another type counts as absent.
def _bag(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = said.get(name)
    return found if isinstance(found, dict) else {}


def conditions(state: SensorState, *, now: Time, thresholds: Thresholds | None = None) -> Sequence[Condition]:
    """List the conditions of a sensor at ``now`` (UTC)."""
    limits = thresholds or Thresholds()
    return [found for check in CONDITIONS.values() if (found := check(state, now, limits))]


def _silent(state: SensorState, now: Time, limits: Thresholds) -> Condition | None:
    # A sensor that reported its stop is not silent, such as on a node that is drained.
    if state.seen is None or state.stopped:
        return None
    if now - max(state.seen, limits.heard_from or state.seen) <= limits.silent:
        return None
    detail = f"no batch since {state.seen.isoformat()}, and the sensor did not report a stop"
    return _condition(state, "silent", "High", "Sensor fell silent", detail, since=state.seen)


# The skew includes the time of the request, which is far below the threshold of seconds.
def _clock_off(state: SensorState, now: Time, limits: Thresholds) -> Condition | None:
    if abs(state.clock_skew) <= limits.clock.total_seconds():
        return None
    way = "ahead of" if state.clock_skew > 0 else "behind"
    detail = f"the sensor's clock is {abs(state.clock_skew):.0f} s {way} the server's; its events have wrong times"
    return _condition(state, "clock-off", "Medium", "Sensor's clock is off", detail, since=state.seen or now)


# Losses count by their own times, so a loss that is reported late counts only if it is still within the window.
def _losing(state: SensorState, now: Time, limits: Thresholds) -> Condition | None:
    recent = [loss for loss in state.losses if now - loss.time <= limits.loss_window]
    count = sum(loss.count for loss in recent)
    if count < limits.losses:
        return None
    reasons = ", ".join(sorted({loss.reason for loss in recent}))
    detail = f"{count} events were lost ({reasons})"
    return _condition(state, "losses", "Medium", "Sensor loses events", detail, since=recent[0].time)


def disk_low(detail: str, *, machine: str, since: Time) -> Condition:
    """Return the condition that a disk of the server's machine is nearly full, since a time (UTC)."""
    return Condition(
        kind="disk-low",
        sensor="",
        cluster="",
        node=machine,
        severity="High",
        title="The server's disk is nearly full",
        detail=f"{detail}; below an eighth of it no more events are taken. Free space, or keep fewer days",
        since=since,
    )


# The server's own state refuses batches as well, and the sensor sends those again: a few of these are no news.
def _refused(state: SensorState, now: Time, limits: Thresholds) -> Condition | None:
    recent = [each for each in state.refusals if now - each.time <= limits.loss_window]
    of_sensor = sum(each.count for each in recent if each.reason not in _REFUSALS_OF_SERVER)
    of_server = sum(each.count for each in recent if each.reason in _REFUSALS_OF_SERVER)
    if not of_sensor and of_server < limits.refusals:
        return None
    counts = Counter[str]()
    for each in recent:
        counts[each.reason] += each.count
    detail = "; ".join(f"{count} for {_REFUSALS.get(reason, reason)}" for reason, count in sorted(counts.items()))
    return _condition(
        state,
        "refused",
        "Medium",
        "Batches of a sensor are refused",
        f"batches refused: {detail}",
        since=recent[0].time,
    )


_REFUSALS: Mapping[str, str] = {
    "alerts": "too many alerts or rows of evidence",
    "batch": "an invalid batch, or rows of another node",
    "body": "a body that did not arrive in time",
    "clock": "a clock that is a day off",
    "room": "lack of room for batches in memory or on the disk",
    "store": "an event store that is overloaded or failed",
}
_REFUSALS_OF_SERVER = frozenset({"room", "store"})


def _tampered(state: SensorState, now: Time, limits: Thresholds) -> Condition | None:
    since = state.tampered_time
    if since is None or now - since > limits.tampering:
        return None
    return _condition(state, "tampered", "High", "Sensor was tampered with", state.tampered, since=since)


CONDITIONS: Mapping[str, Callable[[SensorState, Time, Thresholds], Condition | None]] = {
    "silent": _silent,
    "clock-off": _clock_off,
    "losses": _losing,
    "refused": _refused,
    "tampered": _tampered,
}
"""Function that checks a condition, by the kind of the condition."""


def _condition(state: SensorState, kind: str, severity: str, title: str, detail: str, *, since: Time) -> Condition:
    place = {"sensor": state.sensor, "cluster": state.cluster, "node": state.node}
    return Condition(
        kind=kind, severity=severity, title=f"{title} on {state.node}", detail=detail, since=since, **place
    )
