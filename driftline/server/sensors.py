"""Who may send: join tokens, enrolled sensors and their certificates, in SQL.

Separable from the rest of the server's state: tables of their own, made on opening, over
whatever SQLAlchemy engine is given. Times are kept as UTC without zone, for SQLite has none.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import hmac
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from driftline.errors import Conflict, Forbidden, NotFound, StateError, Unauthenticated
from driftline.server.pki import Identity, Issued
from driftline.wire.protocol import JoinToken

__all__ = ["Base", "SensorRecord", "Sensors", "TokenRecord", "open_sensors"]

_BUSY_SECONDS = 10
_REPEAT = datetime.timedelta(minutes=10)
_ALIVE = datetime.timedelta(minutes=15)

Time = datetime.datetime


class Base(DeclarativeBase):
    """The tables of this module."""


class _JoinToken(Base):
    __tablename__ = "join_tokens"
    id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str]
    cluster: Mapped[str]
    node: Mapped[str] = mapped_column(default="")
    made_by: Mapped[str] = mapped_column(default="")
    expires: Mapped[Time]
    used: Mapped[Time | None]
    used_key: Mapped[str] = mapped_column(default="")
    sensor: Mapped[str] = mapped_column(default="")


class _Sensor(Base):
    __tablename__ = "sensors"
    id: Mapped[str] = mapped_column(primary_key=True)
    cluster: Mapped[str] = mapped_column(index=True)
    node: Mapped[str]
    enrolled: Mapped[Time]
    enrolled_by: Mapped[str]
    revoked: Mapped[Time | None]
    revoked_for: Mapped[str] = mapped_column(default="")
    seen: Mapped[Time | None]
    report: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)


class _Certificate(Base):
    __tablename__ = "sensor_certificates"
    serial: Mapped[str] = mapped_column(primary_key=True)
    sensor: Mapped[str] = mapped_column(sa.ForeignKey("sensors.id"), index=True)
    expires: Mapped[Time]


@dataclass(frozen=True, slots=True)
class SensorRecord:
    """One enrolled sensor; times are UTC. ``report`` is what ``fleet`` keeps of it."""

    identity: Identity
    enrolled: Time
    enrolled_by: str
    revoked: Time | None
    revoked_for: str
    seen: Time | None
    report: Mapping[str, Any]
    certificate_ends: Time | None = None
    """End of the newest certificate."""


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """One join token, without its secret."""

    id: str
    cluster: str
    node: str
    made_by: str
    expires: Time
    used: Time | None
    sensor: str


def open_sensors(data: Path) -> Sensors:
    """Open the register of a server's data directory; raises ``StateError``."""
    engine = sa.create_engine(f"sqlite:///{data / 'sensors.db'}", connect_args={"timeout": _BUSY_SECONDS})
    return Sensors(engine)


class Sensors:
    """The register. Any thread may use it."""

    def __init__(self, engine: sa.Engine) -> None:
        """Make the tables unless they are there; raises ``StateError``."""
        with _translated():
            Base.metadata.create_all(engine)
        self._session = sessionmaker(engine, expire_on_commit=False)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Session]:
        with _translated(), self._session.begin() as session:
            yield session

    def make_token(
        self, *, fingerprint: str, cluster: str, node: str = "", made_by: str = "", expires: Time
    ) -> JoinToken:
        """Make a token for one sensor of a cluster, of one node if that is given."""
        token = JoinToken.make(fingerprint)
        row = _JoinToken(
            id=token.id,
            digest=_digest(token.secret),
            cluster=cluster,
            node=node,
            made_by=made_by,
            expires=_plain(expires),
        )
        with self._writing() as session:
            session.add(row)
        return token

    def tokens(self) -> list[TokenRecord]:
        """List the tokens, those that end last first."""
        with self._writing() as session:
            return [_token(row) for row in session.scalars(sa.select(_JoinToken).order_by(_JoinToken.expires.desc()))]

    def remove_token(self, token_id: str) -> None:
        """Make a token worthless; raises ``NotFound``."""
        with self._writing() as session:
            row = session.get(_JoinToken, token_id)
            if row is None:
                raise NotFound(f"no join token {token_id!r}")
            session.delete(row)

    def enrol(self, token: JoinToken, *, node: str, key: str, now: Time) -> Identity:
        """Use a token for a new sensor.

        Raises ``Unauthenticated`` for a token that is none, used or over, ``Forbidden`` for one of
        another node, ``Conflict`` for a node whose sensor lives. The same key may use it again for
        ten minutes: the answer may have been lost on the way.
        """
        with self._writing() as session:
            row = session.get(_JoinToken, token.id, with_for_update=True)
            if row is None or not hmac.compare_digest(row.digest, _digest(token.secret)):
                raise Unauthenticated("the join token is not known to this server")
            if row.expires < _plain(now):
                raise Unauthenticated(f"the join token ended at {row.expires.isoformat()} UTC; ask for a new one")
            if row.node and row.node != node:
                raise Forbidden(f"the join token is for the node {row.node!r}, not {node!r}")
            if row.used is not None:
                return _again(session, row, key, now)
            if not row.node:
                _check_node_is_free(session, row.cluster, node, now)
            identity = _add(session, cluster=row.cluster, node=node, by=f"token {row.id}", now=now)
            row.used, row.used_key, row.sensor = _plain(now), key, identity.sensor
            return identity

    def enrol_account(self, *, cluster: str, node: str, subject: str, now: Time) -> Identity:
        """Take a new sensor for whose node Kubernetes vouches, in place of the node's former one."""
        with self._writing() as session:
            return _add(session, cluster=cluster, node=node, by=f"account {subject}", now=now)

    def add_certificate(self, identity: Identity, issued: Issued) -> None:
        """Let a certificate speak for a sensor."""
        row = _Certificate(serial=issued.serial, sensor=identity.sensor, expires=_plain(issued.expires))
        with self._writing() as session:
            session.add(row)

    def check(self, identity: Identity, serial: str, *, now: Time) -> None:
        """Raise ``Unauthenticated`` unless a certificate may (still) speak for its sensor."""
        with self._writing() as session:
            certificate = session.get(_Certificate, serial)
            sensor = session.get(_Sensor, identity.sensor)
        if certificate is None or sensor is None or certificate.sensor != sensor.id:
            raise Unauthenticated("the certificate is not known to this server; enrol the sensor anew")
        if sensor.revoked is not None:
            raise Unauthenticated(f"the sensor was revoked: {sensor.revoked_for}")
        if certificate.expires < _plain(now):
            raise Unauthenticated(f"the certificate ended at {certificate.expires.isoformat()} UTC")

    def revoke(self, sensor: str, *, reason: str, now: Time) -> None:
        """Refuse a sensor from now on; raises ``NotFound``."""
        with self._writing() as session:
            row = session.get(_Sensor, sensor)
            if row is None:
                raise NotFound(f"no sensor {sensor!r}")
            row.revoked, row.revoked_for = _plain(now), reason

    def note(self, reports: Mapping[str, tuple[Time, Mapping[str, Any]]]) -> None:
        """Keep when sensors were seen last, and what they report."""
        with self._writing() as session:
            for sensor, (seen, report) in reports.items():
                row = session.get(_Sensor, sensor)
                if row is not None:
                    row.seen, row.report = _plain(seen), dict(report)

    def sensors(self) -> Sequence[SensorRecord]:
        """List all sensors that ever enrolled, by cluster and node."""
        order = (_Sensor.cluster, _Sensor.node, _Sensor.enrolled)
        ends = sa.select(_Certificate.sensor, sa.func.max(_Certificate.expires)).group_by(_Certificate.sensor)
        with self._writing() as session:
            newest = {row[0]: row[1] for row in session.execute(ends)}
            rows = session.scalars(sa.select(_Sensor).order_by(*order))
            return [_sensor(row, newest.get(row.id)) for row in rows]


def _again(session: Session, row: _JoinToken, key: str, now: Time) -> Identity:
    sensor = session.get(_Sensor, row.sensor)
    if row.used is None or sensor is None or row.used_key != key or _plain(now) - row.used > _REPEAT:
        raise Unauthenticated("the join token was used already; each is for one sensor")
    return Identity(sensor.id, sensor.cluster, sensor.node)


# Else whoever holds a token for a cluster could speak for any node of it.
def _check_node_is_free(session: Session, cluster: str, node: str, now: Time) -> None:
    since = _plain(now) - _ALIVE
    for row in session.scalars(_of_node(cluster, node)):
        if max(row.enrolled, row.seen or row.enrolled) > since:
            raise Conflict(
                f"the node {node!r} has a sensor that lives; make a join token for this node, or revoke that"
            )


def _of_node(cluster: str, node: str) -> sa.Select[_Sensor]:
    return sa.select(_Sensor).where(_Sensor.cluster == cluster, _Sensor.node == node, _Sensor.revoked.is_(None))


def _add(session: Session, *, cluster: str, node: str, by: str, now: Time) -> Identity:
    identity = Identity(str(uuid.uuid4()), cluster, node)
    for former in session.scalars(_of_node(cluster, node)):
        former.revoked, former.revoked_for = _plain(now), f"replaced by {identity.sensor}"
    session.add(_Sensor(id=identity.sensor, cluster=cluster, node=node, enrolled=_plain(now), enrolled_by=by))
    return identity


def _sensor(row: _Sensor, ends: Time | None) -> SensorRecord:
    return SensorRecord(
        identity=Identity(row.id, row.cluster, row.node),
        enrolled=row.enrolled.replace(tzinfo=datetime.UTC),
        enrolled_by=row.enrolled_by,
        revoked=_aware(row.revoked),
        revoked_for=row.revoked_for,
        seen=_aware(row.seen),
        report=row.report,
        certificate_ends=_aware(ends),
    )


def _token(row: _JoinToken) -> TokenRecord:
    ends = row.expires.replace(tzinfo=datetime.UTC)
    return TokenRecord(row.id, row.cluster, row.node, row.made_by, ends, _aware(row.used), row.sensor)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _plain(time: Time) -> Time:
    return time.astimezone(datetime.UTC).replace(tzinfo=None)


def _aware(time: Time | None) -> Time | None:
    return time.replace(tzinfo=datetime.UTC) if time else None


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except exc.SQLAlchemyError as error:
        raise StateError(f"the server's database failed: {error}") from error
