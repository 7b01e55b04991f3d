"""Join tokens, enrolled sensors and their certificates."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Select, Table, bindparam, func, select, update
from sqlalchemy.orm import Session

from driftline.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from driftline.server.pki import Identity, Issued
from driftline.server.state.database import lock
from driftline.server.state.models import JoinToken, Sensor, SensorCertificate
from driftline.wire import protocol

__all__ = [
    "SensorRecord",
    "add_certificate",
    "add_join_token",
    "check_certificate",
    "count_by_cluster",
    "enrol",
    "enrol_account",
    "list_join_tokens",
    "list_sensors",
    "remove_join_token",
    "revoke",
    "save_reports",
]

Time = datetime.datetime
_REPEAT = datetime.timedelta(minutes=10)
_ENROLMENT = "enrolment"
_ALIVE = datetime.timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class SensorRecord:
    """One enrolled sensor. Times are UTC."""

    identity: Identity
    enrolled: Time
    enrolled_by: str
    revoked: Time | None
    """``None`` for a sensor that is accepted."""
    revoked_for: str
    seen: Time | None
    """Time of the last batch; ``None`` before the first."""
    report: Mapping[str, Any]
    """The ``SensorState`` as JSON values; empty before the first batch."""
    certificate_ends: Time | None = None
    """End of the certificate that expires last; ``None`` if no certificate was issued."""


# Join tokens


def add_join_token(
    session: Session, *, fingerprint: str, cluster: str, node: str = "", made_by: str = "", expires: Time
) -> protocol.JoinToken:
    """Make a token for one sensor of a cluster; ``node``, if given, is the only node it may be for.

    ``fingerprint`` is the SHA-256 of the server's certificate authority, hexadecimal, by which the sensor recognises
    the server. The returned token holds the secret, of which only a digest is stored. Raises ``InvalidInput`` for a
    name that no cluster or node has.
    """
    _check_names(cluster, node)
    token = protocol.JoinToken.make(fingerprint)
    session.add(
        JoinToken(
            id=token.id, digest=_digest(token.secret), cluster=cluster, node=node, made_by=made_by, expires=expires
        )
    )
    session.flush()
    return token


def _check_names(cluster: str, node: str) -> None:
    try:
        protocol.check_cluster_name(cluster)
        if node:
            protocol.check_node_name(node)
    except ValueError as error:
        raise InvalidInput(f"{node or cluster!r}: {error}") from error


def list_join_tokens(session: Session) -> list[JoinToken]:
    """List the join tokens, latest expiry first."""
    return list(session.scalars(select(JoinToken).order_by(JoinToken.expires.desc())))


def remove_join_token(session: Session, token_id: str) -> None:
    """Remove a join token; the sensor that used it stays enrolled. Raises ``NotFound``."""
    row = session.get(JoinToken, token_id)
    if row is None:
        raise NotFound(f"no join token {token_id!r}")
    session.delete(row)


# Enrolment


def enrol(session: Session, token: protocol.JoinToken, *, node: str, key: str, now: Time) -> Identity:
    """Enrol a new sensor with a join token. ``key`` is the SHA-256 of the sensor's public key, hexadecimal.

    Raises ``Unauthenticated`` for a token that is unknown, used or expired, ``Forbidden`` for a token of another
    node, and ``Conflict`` for a node that has an active sensor. The same key may use a token again for ten minutes
    and gets the same identity, because the first response may have been lost.
    """
    lock(session, _ENROLMENT)
    row = session.get(JoinToken, token.id, with_for_update=True)
    if row is None or not hmac.compare_digest(row.digest, _digest(token.secret)):
        raise Unauthenticated("the join token is not known to this server")
    if row.expires < now:
        raise Unauthenticated(f"the join token expired at {row.expires:%Y-%m-%d %H:%M:%S} UTC; ask for a new one")
    if row.node and row.node != node:
        raise Forbidden(f"the join token is for the node {row.node!r}, not {node!r}")
    if row.used is not None:
        return _repeated(session, row, key, now)
    if not row.node:
        _check_node_is_free(session, row.cluster, node, now)
    identity = _add_sensor(session, cluster=row.cluster, node=node, enrolled_by=f"token {row.id}", now=now)
    row.used, row.used_key, row.sensor = now, key, identity.sensor
    return identity


def enrol_account(session: Session, *, cluster: str, node: str, subject: str, now: Time) -> Identity:
    """Enrol a new sensor whose node a Kubernetes service-account token names; it replaces the node's former sensor."""
    lock(session, _ENROLMENT)
    return _add_sensor(session, cluster=cluster, node=node, enrolled_by=f"account {subject}", now=now)


def _repeated(session: Session, row: JoinToken, key: str, now: Time) -> Identity:
    sensor = session.get(Sensor, row.sensor)
    if row.used is None or sensor is None or row.used_key != key or now - row.used > _REPEAT:
        raise Unauthenticated("the join token was used already; each is for one sensor")
    return Identity(sensor.id, sensor.cluster, sensor.node)


# Without this rule a token for a cluster would let its holder take the place of any node's sensor. A sensor counts as
# active for 15 minutes after its enrolment or its last batch.
def _check_node_is_free(session: Session, cluster: str, node: str, now: Time) -> None:
    since = now - _ALIVE
    for row in session.scalars(_of_node(cluster, node)):
        if max(row.enrolled, row.seen or row.enrolled) > since:
            raise Conflict(
                f"the node {node!r} has an active sensor; make a join token for this node, or revoke that sensor"
            )


def _of_node(cluster: str, node: str) -> Select[Sensor]:
    return select(Sensor).where(Sensor.cluster == cluster, Sensor.node == node, Sensor.revoked.is_(None))


def _add_sensor(session: Session, *, cluster: str, node: str, enrolled_by: str, now: Time) -> Identity:
    identity = Identity(str(uuid.uuid4()), cluster, node)
    for former in session.scalars(_of_node(cluster, node)):
        former.revoked, former.revoked_for = now, f"replaced by {identity.sensor}"
    session.add(Sensor(id=identity.sensor, cluster=cluster, node=node, enrolled=now, enrolled_by=enrolled_by))
    session.flush()
    return identity


# Certificates


def add_certificate(session: Session, identity: Identity, issued: Issued) -> None:
    """Note a certificate that was issued to a sensor."""
    session.add(SensorCertificate(serial=issued.serial, sensor=identity.sensor, expires=issued.expires))


def check_certificate(session: Session, identity: Identity, serial: str, *, now: Time) -> None:
    """Raise ``Unauthenticated`` for a certificate that is unknown, expired, or of a revoked sensor.

    ``serial`` is the certificate's serial number, hexadecimal.
    """
    certificate = session.get(SensorCertificate, serial)
    sensor = session.get(Sensor, identity.sensor)
    if certificate is None or sensor is None or certificate.sensor != sensor.id:
        raise Unauthenticated("the certificate is not known to this server; enrol the sensor again")
    if sensor.revoked is not None:
        raise Unauthenticated(f"the sensor was revoked: {sensor.revoked_for}")
    if certificate.expires < now:
        raise Unauthenticated(f"the certificate expired at {certificate.expires:%Y-%m-%d %H:%M:%S} UTC")


# Sensors


def revoke(session: Session, sensor: str, *, reason: str, now: Time) -> None:
    """Revoke a sensor, whose certificates are refused from then on; raises ``NotFound``."""
    row = session.get(Sensor, sensor)
    if row is None:
        raise NotFound(f"no sensor {sensor!r}")
    row.revoked, row.revoked_for = now, reason


def save_reports(session: Session, reports: Mapping[str, tuple[Time, Mapping[str, Any]]]) -> None:
    """Save by sensor id the time of its last batch and its report; unknown ids are ignored."""
    # One statement for all rows, because reading each row first would hold SQLite's only writer for longer.
    table = cast("Table", Sensor.__table__)
    statement = update(table).where(table.c.id == bindparam("_id"))
    statement = statement.values(seen=bindparam("_seen"), report=bindparam("_report"))
    rows = [{"_id": sensor, "_seen": seen, "_report": dict(report)} for sensor, (seen, report) in reports.items()]
    session.connection().execute(statement, rows)


def count_by_cluster(session: Session) -> dict[str, int]:
    """Return the number of sensors that are not revoked, by cluster."""
    query = select(Sensor.cluster, func.count()).where(Sensor.revoked.is_(None)).group_by(Sensor.cluster)
    return {row[0]: row[1] for row in session.execute(query)}


def list_sensors(session: Session) -> Sequence[SensorRecord]:
    """List all sensors that ever enrolled, by cluster, node and time of enrolment."""
    order = (Sensor.cluster, Sensor.node, Sensor.enrolled)
    ends = select(SensorCertificate.sensor, func.max(SensorCertificate.expires)).group_by(SensorCertificate.sensor)
    latest = {row[0]: row[1] for row in session.execute(ends)}
    return [_record(row, latest.get(row.id)) for row in session.scalars(select(Sensor).order_by(*order))]


def _record(row: Sensor, certificate_ends: Time | None) -> SensorRecord:
    return SensorRecord(
        identity=Identity(row.id, row.cluster, row.node),
        enrolled=row.enrolled,
        enrolled_by=row.enrolled_by,
        revoked=row.revoked,
        revoked_for=row.revoked_for,
        seen=row.seen,
        report=row.report,
        certificate_ends=certificate_ends,
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
