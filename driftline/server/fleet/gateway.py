"""The gateway: the parts that the sensors' endpoints share, open for as long as the server takes in sensors.

``open_gateway`` opens it; the application provides it to the endpoints of ``enrolment``, ``ingest`` and ``router``.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pyarrow as pa
from anyio import CapacityLimiter

from driftline import wire
from driftline.errors import StateError
from driftline.server.auth.peers import Peers
from driftline.server.clock import Clock
from driftline.server.disk import Space
from driftline.server.fleet import status
from driftline.server.fleet.alert_limits import AlertLimits
from driftline.server.fleet.sensor_states import SensorStates
from driftline.server.fleet.service_accounts import Reviewer
from driftline.server.fleet.status import Condition, Thresholds
from driftline.server.http.backpressure import Room
from driftline.server.http.metrics import Metrics
from driftline.server.http.parts import part
from driftline.server.http.refusal_log import RefusalLog
from driftline.server.pki import Authority, Identity, LiveAuthority
from driftline.server.state import State
from driftline.server.state.models import PolicyVersion
from driftline.server.storage import Storage
from driftline.store.files.batch_writer import BatchWriter
from driftline.store.files.database import Database
from driftline.store.files.housekeeping import KEPT_DAYS, run_housekeeping

__all__ = ["AppGateway", "Gateway", "Listener", "WantedPolicy", "open_gateway"]

Listener = Callable[[Identity, Mapping[str, pa.Table]], None]
"""Called in a thread with each batch of a sensor, by table, after it is stored and before it is acknowledged.

After a crash the sensor sends an unacknowledged batch again, so a listener must accept the same rows twice.
"""

Days = Callable[[str], int]
"""Returns the number of days for which rows of a table are kept."""
WantedPolicy = Callable[[str], PolicyVersion | None]
"""Returns the version in force for a cluster; ``None`` if it has no policy."""

ALERTS_PER_MINUTE = 10_000
_SAVE_SECONDS = 15.0  # states lost in a crash are as old as this; heartbeats bring them again
_log = logging.getLogger(__name__)


def _no_policy(_: str) -> None:
    return None


@dataclass(slots=True)
class Gateway:
    """The parts that the sensors' endpoints share."""

    authorities: LiveAuthority
    state: State
    peers: Peers
    database: Database
    intake: BatchWriter
    sensor_states: SensorStates
    clock: Clock
    refusals: RefusalLog
    metrics: Metrics
    space: Space
    alert_limits: AlertLimits
    thresholds: Thresholds = field(default_factory=Thresholds)
    wanted_policy: WantedPolicy = _no_policy
    reviewer: Reviewer | None = None
    listeners: Sequence[Listener] = ()
    limits: wire.Limits = field(default_factory=wire.Limits)
    # Bounds on memory: 64 MiB of compressed batches, four batches of one sensor; two are decoded at a time, since a
    # decoded batch is larger than its body.
    room: Room = field(default_factory=lambda: Room(max_bytes=64 << 20, max_requests=4))
    disk_low_since: datetime.datetime | None = None
    decoders: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(2))

    @property
    def authority(self) -> Authority:
        """The certificate authority, which may be replaced at any time; raises ``StateError``."""
        return self.authorities.current

    def forget(self, sensor: str) -> None:
        """Drop the cached state and certificates of a sensor whose revocation was committed."""
        self.sensor_states.forget(sensor)
        self.peers.forget()

    def replace_former(self, identity: Identity) -> None:
        """Drop the cached states and certificates of the sensors that a newly enrolled one replaced on its node."""
        self.sensor_states.replace(identity)
        self.peers.forget()

    def conditions(self) -> Sequence[Condition]:
        """List the conditions of all sensors, and of this machine's disk, that deserve an alert now."""
        now = self.clock.now()
        found = self.sensor_states.conditions(now=now, thresholds=self.thresholds)
        return [*found, *self._disk_conditions(now)]

    def _disk_conditions(self, now: datetime.datetime) -> Sequence[Condition]:
        text = self.space.warning()
        self.disk_low_since = (self.disk_low_since or now) if text else None
        if self.disk_low_since is None:
            return []
        return [status.disk_low(text, machine=socket.gethostname(), since=self.disk_low_since)]

    def note_refusal(
        self,
        identity: Identity,
        reason: str,
        *,
        now: datetime.datetime,
        clock: datetime.datetime,
        version: str,
    ) -> None:
        """Count a batch of a sensor that was refused; ``now`` is the server's time and ``clock`` the sensor's, UTC."""
        self.metrics.ingest_refusals.labels(reason).inc()
        self.sensor_states.record(identity, {}, now=now, clock=clock, version=version, refused=reason)

    def notify(self, identity: Identity, tables: Mapping[str, pa.Table]) -> None:
        """Call the listeners with a stored batch."""
        for listener in self.listeners:
            listener(identity, tables)


AppGateway = Annotated[Gateway, part(Gateway)]


@contextlib.contextmanager
def open_gateway(
    state: State,
    storage: Storage,
    peers: Peers,
    *,
    data: Path,
    clock: Clock,
    refusals: RefusalLog,
    days: Days = lambda _: KEPT_DAYS,
    thresholds: Thresholds | None = None,
    metrics: Metrics | None = None,
    space: Space | None = None,
    alerts_per_minute: int = ALERTS_PER_MINUTE,
    wanted_policy: WantedPolicy = _no_policy,
    reviewer: Reviewer | None = None,
    listeners: Sequence[Listener] = (),
) -> Iterator[Gateway]:
    """Own the event store during the block, and yield the gateway to it.

    The certificate authority is in ``data``. Two threads save the sensors' states and keep house in the store.
    Raises ``StateError`` and ``StoreError``.
    """
    authorities = LiveAuthority(data / "pki", now=clock.now)
    # Closed in reverse: the threads end, the states are saved, then the batch writer and the store are closed.
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(storage.owned())
        intake = BatchWriter(database)
        stack.callback(intake.close)
        gateway = Gateway(
            authorities=authorities,
            state=state,
            peers=peers,
            database=database,
            intake=intake,
            sensor_states=SensorStates(state),
            clock=clock,
            refusals=refusals,
            metrics=metrics or Metrics(),
            space=space or Space([], low=0),
            alert_limits=AlertLimits(alerts_per_minute),
            thresholds=thresholds or Thresholds(),
            wanted_policy=wanted_policy,
            reviewer=reviewer,
            listeners=listeners,
        )
        stack.callback(gateway.sensor_states.save)
        stopping = threading.Event()
        for work in (_save_now_and_then, _keep_house):
            thread = threading.Thread(target=work, args=(gateway, stopping, days), name=work.__name__)
            thread.start()
            stack.callback(thread.join)
        stack.callback(stopping.set)
        yield gateway


def _save_now_and_then(gateway: Gateway, stopping: threading.Event, _: Days) -> None:
    while not stopping.wait(_SAVE_SECONDS):
        try:
            gateway.sensor_states.save()
        except StateError as error:
            _log.error("cannot save the states of sensors: %s", error)


def _keep_house(gateway: Gateway, stopping: threading.Event, days: Days) -> None:
    run_housekeeping(gateway.database, stopping, now=gateway.clock.now, days=days)
