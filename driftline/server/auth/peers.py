"""Authentication of sensors by the client certificate of the TLS connection.

TLS has verified that the server's authority signed the certificate; the state knows whether its sensor was revoked.
The look-up is cached, so that a request of a sensor does not cost a query each time.
"""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from driftline.errors import Unauthenticated
from driftline.server import pki
from driftline.server.clock import Clock
from driftline.server.http.parts import AppRefusals, part
from driftline.server.http.requests import client_address
from driftline.server.http.tls import peer_certificate
from driftline.server.pki import Identity
from driftline.server.state import State, sensors

__all__ = ["CACHE_SECONDS", "AppPeers", "Peer", "Peers"]

CACHE_SECONDS = 30.0
"""Time for which a certificate that another process revoked may still be accepted; ``forget`` takes effect at once."""


class Peers:
    """Finds the sensor a client certificate belongs to. Any thread may use it."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._checked: dict[str, float] = {}

    def identify(self, certificate: bytes | None) -> Identity:
        """Return the sensor of a certificate (DER) that TLS has verified.

        Raises ``Unauthenticated`` without a certificate, or for one that is unknown, expired or revoked.
        """
        if certificate is None:
            raise Unauthenticated("expected a sensor's client certificate")
        identity, serial = pki.identity_of(certificate)
        if not self.is_cached(serial):
            with self._state.reading() as session:
                sensors.check_certificate(session, identity, serial, now=self._clock.now())
            self._checked[serial] = time.monotonic()
        return identity

    def is_cached(self, serial: str) -> bool:
        """Return whether a certificate was checked less than ``CACHE_SECONDS`` ago."""
        return time.monotonic() - self._checked.get(serial, -CACHE_SECONDS) < CACHE_SECONDS

    def forget(self) -> None:
        """Check every certificate again at its next request."""
        self._checked.clear()


AppPeers = Annotated[Peers, part(Peers)]


async def _peer(request: Request, peers: AppPeers, refusals: AppRefusals) -> Identity:
    # The cache is read on the event loop; only a look-up in the state takes a thread.
    with refusals.logging(client_address(request) or "unknown sender"):
        certificate = peer_certificate(request.scope)
        if certificate and peers.is_cached(pki.identity_of(certificate)[1]):
            return peers.identify(certificate)
        return await run_in_threadpool(peers.identify, certificate)


Peer = Annotated[Identity, Depends(_peer)]
"""The sensor that sent a request."""
