"""Enrolment: from a join token or a service-account token to a client certificate, and its renewal.

The sensor first asks for the authority, over a connection it cannot trust yet, and compares its
fingerprint with the token's; only then does it send the token.
"""

from __future__ import annotations

import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import PlainTextResponse

from driftline.errors import Conflict, Unauthenticated
from driftline.server import pki
from driftline.server.auth.peers import Peer
from driftline.server.fleet.gateway import Gate, Gateway
from driftline.server.http.requests import bearer_token, client_address
from driftline.server.pki import Identity
from driftline.server.state import sensors
from driftline.wire.protocol import Enrolled, Enrolment, JoinToken, Renewal

__all__ = ["CLOCK_MAX", "router"]

router = APIRouter(tags=["sensors"])

CLOCK_MAX = datetime.timedelta(days=1)
"""A sensor whose clock is further off is refused: its certificate and its rows would be of another time."""
_RENEW_AT = 2 / 3  # of a certificate's life


@router.get("/enrol/authority", response_class=PlainTextResponse)
def authority(gateway: Gate) -> str:
    """Give the server's certificate authority, PEM; compare its fingerprint before trusting it."""
    return gateway.authority.pem


@router.post("/enrol")
def enrol(
    request: Request, body: Enrolment, gateway: Gate, authorization: Annotated[str, Header(max_length=20_000)] = ""
) -> Enrolled:
    """Give a new sensor its first certificate, for a join token or a service-account token."""
    now = gateway.clock.now()
    with gateway.refusals.of(client_address(request) or "unknown sender"):
        check_clock(body.time.astimezone(datetime.UTC), now)
        identity = _by_token(gateway, body, now) if body.token else _by_account(gateway, body, authorization, now)
        gateway.welcome(identity)
        return _certified(gateway, body.csr, identity, now)


@router.post("/sensors/renew")
def renew(body: Renewal, gateway: Gate, peer: Peer) -> Enrolled:
    """Give a sensor its next certificate; the present one holds until its end."""
    return _certified(gateway, body.csr, peer, gateway.clock.now())


def check_clock(clock: datetime.datetime, now: datetime.datetime) -> None:
    """Raise ``Conflict`` for a sensor whose clock is more than a day off."""
    if abs(clock - now) > CLOCK_MAX:
        raise Conflict(f"the sensor's clock says {clock.isoformat()}, the server's {now.isoformat()}; set them right")


def _by_token(gateway: Gateway, body: Enrolment, now: datetime.datetime) -> Identity:
    token, key = JoinToken.parse(body.token), pki.key_hash(body.csr)
    with gateway.state.writing() as session:
        return sensors.enrol(session, token, node=body.node, key=key, now=now)


def _by_account(gateway: Gateway, body: Enrolment, authorization: str, now: datetime.datetime) -> Identity:
    token = bearer_token(authorization)
    if not token or gateway.reviewer is None:
        accepted = "a join token" + (" or a service-account token" if gateway.reviewer else "")
        raise Unauthenticated(f"expected {accepted}")
    account = gateway.reviewer.review(token)
    pki.key_hash(body.csr)  # a bad request must not replace the node's sensor
    with gateway.state.writing() as session:
        return sensors.enrol_account(
            session, cluster=account.cluster, node=account.node, subject=account.subject, now=now
        )


def _certified(gateway: Gateway, csr: str, identity: Identity, now: datetime.datetime) -> Enrolled:
    issued = gateway.authority.sign_sensor(csr, identity, now=now)
    with gateway.state.writing() as session:
        sensors.add_certificate(session, identity, issued)
    return Enrolled(
        sensor=identity.sensor,
        cluster=identity.cluster,
        node=identity.node,
        certificate=issued.pem,
        authority=gateway.authority.pem,
        expires=issued.expires,
        renew_after=now + (issued.expires - now) * _RENEW_AT,
    )
