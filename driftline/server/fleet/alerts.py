"""Alerts on sensors: silent, losing events, with a wrong clock, tampered with.

A condition of a sensor is raised in the same way as a sensor raises drift: by ``AlertInfo`` and ``AlertEvidence`` rows
in the event store, from where the alert ingest takes them. Hunts can so find these alerts, and suppression rules apply
to them. A condition that lasts (silent, losses, clock off) is resolved here when it ends. Tampering is an event without
an end, which a user has to resolve.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from driftline import wire
from driftline.events import AlertEvidence, AlertInfo
from driftline.events.alerts import SERVICE_SOURCE
from driftline.server.alerts.findings import FLEET
from driftline.server.clock import Clock
from driftline.server.failure_log import FailureLog
from driftline.server.fleet.gateway import Gateway
from driftline.server.fleet.status import Condition
from driftline.server.signals import ALERTS, Hub
from driftline.server.state import State, alerts
from driftline.store.files.dedup import Batch

__all__ = ["FleetAlerts", "watching"]

_TURN_SECONDS = 2.0
_STORE_SECONDS = 30.0
_STREAM = "server"
_BY = "driftline"
# MITRE ATT&CK: T1562.006 is "Impair Defenses: Indicator Blocking", T1562.001 "Disable or Modify Tools".
_TACTIC = {"silent": "DefenseEvasion", "tampered": "DefenseEvasion"}
_TECHNIQUES = {"silent": ("T1562.006",), "tampered": ("T1562.001",)}
_SPACE = uuid.UUID("6f9fbfb2-1f0a-4c59-8a4b-0a2a9a7d4c0e")
_Key = tuple[str, str, str, str]

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def watching(fleet_alerts: FleetAlerts) -> Iterator[None]:
    """Check the conditions of all sensors in a thread during the block."""
    stopping = threading.Event()
    thread = threading.Thread(target=fleet_alerts.run, args=(stopping,), name="fleet-fleet_alerts")
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


class FleetAlerts:
    """Compares the conditions of all sensors with the open alerts on them. Used by one thread."""

    def __init__(
        self,
        state: State,
        gateway: Gateway,
        *,
        hub: Hub,
        clock: Clock,
        note_alerts: Callable[[datetime.datetime], None],
    ) -> None:
        """``note_alerts`` is called with the oldest time (UTC) of stored alert rows, to wake the alert ingest."""
        self._state = state
        self._gateway = gateway
        self._hub = hub
        self._clock = clock
        self._note_alerts = note_alerts
        self._holding: frozenset[_Key] = frozenset()

    def run(self, stopping: threading.Event) -> None:
        """Call ``turn`` every 2 seconds until ``stopping`` is set. After an error the next turn tries again."""
        failures = FailureLog(_log, "alerts on sensors are not raised")
        while not stopping.wait(_TURN_SECONDS):
            try:
                self.turn()
            # Any error: a bug with one condition must not end all alerts on sensors; the thread does not come back.
            except Exception as error:  # noqa: BLE001
                failures.failed(error)
            else:
                failures.succeeded()

    def turn(self) -> None:
        """Raise the conditions that are new, and resolve the alerts of those that ended.

        Raises ``StateError``, ``StoreError``, and ``TimeoutError`` if the store takes longer than 30 seconds.
        """
        found = {_key(it): it for it in self._gateway.conditions()}
        self._raise([it for key, it in found.items() if key not in self._holding])
        self._holding = frozenset(found)
        self._resolve({(it.kind, it.cluster, it.node) for it in found.values()})

    def _raise(self, new: Sequence[Condition]) -> None:
        by_id = {_alert_id(it): it for it in new}
        with self._state.reading() as session:
            known = alerts.known(session, list(by_id))
        now = self._clock.now()
        rows = [_rows(alert_id, it, now) for alert_id, it in by_id.items() if alert_id not in known]
        if not rows:
            return
        infos, evidence = zip(*rows, strict=True)
        tables = {
            "AlertInfo": wire.table("AlertInfo", infos),
            "AlertEvidence": wire.table("AlertEvidence", evidence),
        }
        number = time.time_ns() // 1000
        self._gateway.intake.offer(Batch(_STREAM, number, number, tables)).result(_STORE_SECONDS)
        self._note_alerts(now)

    def _resolve(self, holding: set[tuple[str, str, str]]) -> None:
        with self._state.reading() as session:
            if not any(_is_over(it.rule, it.cluster, it.workload, holding) for it in alerts.list_open(session, FLEET)):
                return
        now = self._clock.now()
        with self._state.writing() as session:
            for alert in alerts.list_open(session, FLEET):
                if _is_over(alert.rule, alert.cluster, alert.workload, holding):
                    alerts.resolve(session, alert, actor=_BY, comment="the condition ended", now=now)
        self._hub.signal(ALERTS)


def _is_over(kind: str, cluster: str, node: str, holding: set[tuple[str, str, str]]) -> bool:
    return kind != "tampered" and (kind, cluster, node) not in holding


# Two acts of tampering differ by their times. The start of a lasting condition moves, such as the time of the oldest
# loss within the window, and must not make it a new condition.
def _key(condition: Condition) -> _Key:
    when = condition.since.isoformat() if condition.kind == "tampered" else ""
    return condition.kind, condition.cluster, condition.node, when


# A name-based id (RFC 9562, version 5): a second server over the same state, or this one after a restart, raises the
# same alert, which the alert ingest then counts once.
def _alert_id(condition: Condition) -> str:
    parts = (condition.kind, condition.cluster, condition.node, condition.since.isoformat())
    return str(uuid.uuid5(_SPACE, msgspec.json.encode(parts).decode()))


def _rows(alert_id: str, condition: Condition, now: datetime.datetime) -> tuple[AlertInfo, AlertEvidence]:
    category = _TACTIC.get(condition.kind, "SuspiciousActivity")
    about: dict[str, Any] = {
        "AlertId": alert_id,
        "Title": condition.title,
        "Severity": condition.severity,
        "ServiceSource": SERVICE_SOURCE,
        "DetectionSource": FLEET,
        "AttackTechniques": msgspec.json.encode(_TECHNIQUES.get(condition.kind, ())).decode(),
    }
    info = AlertInfo(Timestamp=now, Category=category, **about)
    evidence = AlertEvidence(
        Timestamp=now,
        Categories=msgspec.json.encode((category,)).decode(),
        EntityType="Machine",
        EvidenceRole="Impacted",
        DeviceName=condition.node,
        CloudResource=condition.cluster,
        AdditionalFields={
            "Description": condition.detail,
            "Condition": condition.kind,
            "SensorId": condition.sensor,
            "Since": condition.since.isoformat(),
        },
        **about,
    )
    return info, evidence
