"""What the sensors' endpoints share: authority, register, intake, ledger; made once for an app.

``open_gateway`` opens it; an application has it as ``app.state.gateway`` and includes the routers of
``enrol`` and ``ingest`` under ``/api/v1``.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pyarrow as pa
from anyio import CapacityLimiter
from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from driftline import wire
from driftline.errors import StateError, Unauthenticated
from driftline.server import pki
from driftline.server.fleet.sensor_states import Ledger
from driftline.server.fleet.service_accounts import Reviewer
from driftline.server.http.backpressure import Room
from driftline.server.http.refusal_log import Complaints
from driftline.server.http.tls import peer_certificate
from driftline.server.pki import Authority, Identity
from driftline.server.sensors import Sensors, open_sensors
from driftline.store.files.batch_writer import BatchWriter
from driftline.store.files.database import Database
from driftline.store.files.housekeeping import KEPT_DAYS, run_housekeeping
from driftline.store.process import socket_server

__all__ = ["Gate", "Gateway", "Listener", "Peer", "open_gateway"]

Listener = Callable[[Identity, Mapping[str, pa.Table]], None]
"""Is told of each batch, in a thread, when it is stored and before it is acknowledged: so it may be
told of a batch again after a crash, and must take the same rows twice as once."""

Days = Callable[[str], int]

CHECKED_SECONDS = 30.0
"""How long a certificate that another process revoked may go on; ``Gateway.revoke`` works at once."""
_SAVE_SECONDS = 15.0
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Gateway:
    """The parts. ``now`` gives UTC."""

    authority: Authority
    sensors: Sensors
    database: Database
    intake: BatchWriter
    ledger: Ledger
    now: Callable[[], datetime.datetime]
    complaints: Complaints
    reviewer: Reviewer | None = None
    listeners: Sequence[Listener] = ()
    limits: wire.Limits = field(default_factory=wire.Limits)
    room: Room = field(default_factory=lambda: Room(max_bytes=64 << 20, max_requests=4))
    decoders: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(2))
    _checked: dict[str, float] = field(default_factory=dict)

    def identify(self, certificate: bytes | None) -> Identity:
        """Say which sensor a verified client certificate speaks for; raises ``Unauthenticated``."""
        if certificate is None:
            raise Unauthenticated("expected a sensor's client certificate")
        identity, serial = pki.identity_of(certificate)
        if not self.is_known(serial):
            self.sensors.check(identity, serial, now=self.now())
            self._checked[serial] = time.monotonic()
        return identity

    def is_known(self, serial: str) -> bool:
        """Tell whether a certificate was looked up a moment ago."""
        return time.monotonic() - self._checked.get(serial, -CHECKED_SECONDS) < CHECKED_SECONDS

    def revoke(self, sensor: str, *, reason: str) -> None:
        """Refuse a sensor from now on; raises ``NotFound``."""
        self.sensors.revoke(sensor, reason=reason, now=self.now())
        self.ledger.forget(sensor)
        self._checked.clear()

    def welcome(self, identity: Identity) -> None:
        """Take a sensor that has just enrolled, in place of its node's former one."""
        self.ledger.replace(identity)
        self._checked.clear()

    def tell(self, identity: Identity, tables: Mapping[str, pa.Table]) -> None:
        """Tell the listeners of a stored batch."""
        for listener in self.listeners:
            listener(identity, tables)


@contextlib.contextmanager
def open_gateway(
    *,
    data: Path,
    store: Path,
    now: Callable[[], datetime.datetime],
    days: Days = lambda _: KEPT_DAYS,
    reviewer: Reviewer | None = None,
    listeners: Sequence[Listener] = (),
) -> Iterator[Gateway]:
    """Open the gateway: its authority and register in ``data``, the event store in ``store``.

    ``days`` gives how long a table's rows are kept. Raises ``StateError`` and ``StoreError``.
    """
    authority = pki.open_authority(data / "pki", now=now())
    sensors = open_sensors(data)
    with contextlib.ExitStack() as stack:
        database = Database(store)
        stack.callback(database.close)
        service = socket_server.SocketServer(database)
        stack.callback(service.close)
        intake = BatchWriter(database)
        stack.callback(intake.close)
        gateway = Gateway(
            authority, sensors, database, intake, Ledger(sensors), now, Complaints(now), reviewer, listeners
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
    run_housekeeping(gateway.database, stopping, now=gateway.now, days=days)


async def _gateway(request: Request) -> Gateway:  # not in a thread: it never waits
    found: Gateway = request.app.state.gateway
    return found


Gate = Annotated[Gateway, Depends(_gateway)]


async def _peer(request: Request, gateway: Gate) -> Identity:
    with gateway.complaints.of(request.client.host if request.client else "somebody"):
        certificate = peer_certificate(request.scope)
        if certificate and gateway.is_known(pki.identity_of(certificate)[1]):
            return gateway.identify(certificate)
        return await run_in_threadpool(gateway.identify, certificate)


Peer = Annotated[Identity, Depends(_peer)]
"""The sensor whose certificate a request came with."""
