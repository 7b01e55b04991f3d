"""The gateway: the parts that the sensors' endpoints share, open for as long as the server takes in sensors.

``open_gateway`` opens it; the application provides it to the endpoints of ``enrolment``, ``ingest`` and ``router``.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pyarrow as pa
from anyio import CapacityLimiter

from driftline import wire
from driftline.errors import StateError
from driftline.server import pki
from driftline.server.auth.peers import Peers
from driftline.server.clock import Clock
from driftline.server.fleet.sensor_states import Ledger
from driftline.server.fleet.service_accounts import Reviewer
from driftline.server.fleet.status import Condition, Thresholds
from driftline.server.http.backpressure import Room
from driftline.server.http.parts import part
from driftline.server.http.refusal_log import Complaints
from driftline.server.pki import Authority, Identity
from driftline.server.state import State
from driftline.server.state.models import PolicyVersion
from driftline.server.storage import Storage
from driftline.store.files.batch_writer import BatchWriter
from driftline.store.files.database import Database
from driftline.store.files.housekeeping import KEPT_DAYS, run_housekeeping

__all__ = ["Gate", "Gateway", "Listener", "WantedPolicy", "open_gateway"]

Listener = Callable[[Identity, Mapping[str, pa.Table]], None]
"""Is told of each batch, in a thread, when it is stored and before it is acknowledged: so it may be
told of a batch again after a crash, and must take the same rows twice as once."""

Days = Callable[[str], int]
WantedPolicy = Callable[[str], PolicyVersion | None]
"""Returns the version in force for a cluster; ``None`` if it has no policy."""

_SAVE_SECONDS = 15.0
_log = logging.getLogger(__name__)


def _no_policy(_: str) -> None:
    return None


@dataclass(slots=True)
class Gateway:
    """The parts."""

    authority: Authority
    state: State
    peers: Peers
    database: Database
    intake: BatchWriter
    ledger: Ledger
    clock: Clock
    refusals: Complaints
    thresholds: Thresholds = field(default_factory=Thresholds)
    wanted_policy: WantedPolicy = _no_policy
    reviewer: Reviewer | None = None
    listeners: Sequence[Listener] = ()
    limits: wire.Limits = field(default_factory=wire.Limits)
    room: Room = field(default_factory=lambda: Room(max_bytes=64 << 20, max_requests=4))
    decoders: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(2))

    def forget(self, sensor: str) -> None:
        """Drop what is kept in memory of a sensor whose revocation was committed."""
        self.ledger.forget(sensor)
        self.peers.forget()

    def welcome(self, identity: Identity) -> None:
        """Take a sensor that has just enrolled, in place of its node's former one."""
        self.ledger.replace(identity)
        self.peers.forget()

    def conditions(self) -> Sequence[Condition]:
        """List what holds now about the sensors and is worth an alert."""
        return self.ledger.conditions(now=self.clock.now(), thresholds=self.thresholds)

    def tell(self, identity: Identity, tables: Mapping[str, pa.Table]) -> None:
        """Tell the listeners of a stored batch."""
        for listener in self.listeners:
            listener(identity, tables)


Gate = Annotated[Gateway, part(Gateway)]


@contextlib.contextmanager
def open_gateway(
    state: State,
    storage: Storage,
    peers: Peers,
    *,
    data: Path,
    clock: Clock,
    refusals: Complaints,
    days: Days = lambda _: KEPT_DAYS,
    thresholds: Thresholds | None = None,
    wanted_policy: WantedPolicy = _no_policy,
    reviewer: Reviewer | None = None,
    listeners: Sequence[Listener] = (),
) -> Iterator[Gateway]:
    """Open the gateway: own the event store, with the authority in ``data``.

    ``days`` gives how long a table's rows are kept. Raises ``StateError`` and ``StoreError``.
    """
    authority = pki.open_authority(data / "pki", now=clock.now())
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(storage.owned())
        intake = BatchWriter(database)
        stack.callback(intake.close)
        gateway = Gateway(
            authority=authority,
            state=state,
            peers=peers,
            database=database,
            intake=intake,
            ledger=Ledger(state),
            clock=clock,
            refusals=refusals,
            thresholds=thresholds or Thresholds(),
            wanted_policy=wanted_policy,
            reviewer=reviewer,
            listeners=listeners,
        )
        stack.callback(gateway.ledger.save)
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
            gateway.ledger.save()
        except StateError as error:
            _log.error("the sensors' states could not be saved: %s", error)


def _keep_house(gateway: Gateway, stopping: threading.Event, days: Days) -> None:
    run_housekeeping(gateway.database, stopping, now=gateway.clock.now, days=days)
