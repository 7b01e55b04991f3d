"""Endpoints of enrolment: a join token or a service-account token for a client certificate, and its renewal.

A sensor first fetches the certificate authority over a connection that it cannot trust yet, and compares the
authority's fingerprint with the one in its join token. Only then does it send the token.
"""

from __future__ import annotations

import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import PlainTextResponse

from driftline.errors import Conflict, Unauthenticated
from driftline.server import pki
from driftline.server.auth.peers import Peer
from driftline.server.fleet.gateway import AppGateway, Gateway
from driftline.server.http.requests import bearer_token, client_address
from driftline.server.pki import Identity
from driftline.server.state import sensors
from driftline.wire.protocol import Enrolled, Enrolment, JoinToken, Renewal

__all__ = ["CLOCK_MAX", "router"]

router = APIRouter(tags=["sensors"])

CLOCK_MAX = datetime.timedelta(days=1)
"""Maximum difference between the clocks of a sensor and the server.

Beyond it the sensor's certificate would not be valid by its clock, and its rows would be stored under wrong days.
"""
_RENEW_AT = 2 / 3  # of the lifetime of a certificate: a third remains for retries


@router.get("/enrol/authority", response_class=PlainTextResponse)
def authority(gateway: AppGateway) -> str:
    """Return the certificate authority of the server, PEM; compare its fingerprint before trusting it.

    While a former authority is trusted as well, it follows.
    """
    return gateway.authority.trusted_pem


@router.post("/enrol")
def enrol(
    request: Request,
    body: Enrolment,
    gateway: AppGateway,
    authorization: Annotated[str, Header(max_length=20_000)] = "",
) -> Enrolled:
    """Enrol a sensor by a join token or a service-account token, and return its first certificate.

    The service-account token is sent in the header Authorization. A sensor that enrols replaces the former one of its
    node; a join token of a whole cluster cannot replace an active sensor.
    """
    now = gateway.clock.now()
    with gateway.refusals.logging(client_address(request) or "unknown sender"):
        check_clock(body.time.astimezone(datetime.UTC), now)
        identity = _by_token(gateway, body, now) if body.token else _by_account(gateway, body, authorization, now)
        gateway.replace_former(identity)
        return _certified(gateway, body.csr, identity, now)


@router.post("/sensors/renew")
def renew(body: Renewal, gateway: AppGateway, peer: Peer) -> Enrolled:
    """Return the next certificate of a sensor; the present one stays valid until it expires."""
    return _certified(gateway, body.csr, peer, gateway.clock.now())


def check_clock(clock: datetime.datetime, now: datetime.datetime) -> None:
    """Raise ``Conflict`` if the clock of a sensor differs from the server's by more than a day; both are UTC."""
    if abs(clock - now) > CLOCK_MAX:
        raise Conflict(
            f"the sensor's clock shows {clock.isoformat()}, the server's {now.isoformat()}; correct the wrong one"
        )


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
    pki.key_hash(body.csr)  # raises before the node's former sensor is replaced
    with gateway.state.writing() as session:
        return sensors.enrol_account(
            session, cluster=account.cluster, node=account.node, subject=account.subject, now=now
        )


def _certified(gateway: Gateway, csr: str, identity: Identity, now: datetime.datetime) -> Enrolled:
    authority = gateway.authority
    issued = authority.sign_sensor(csr, identity, now=now)
    with gateway.state.writing() as session:
        sensors.add_certificate(session, identity, issued)
    return Enrolled(
        sensor=identity.sensor,
        cluster=identity.cluster,
        node=identity.node,
        certificate=issued.pem,
        authority=authority.pem,
        expires=issued.expires,
        renew_after=now + (issued.expires - now) * _RENEW_AT,
    )
