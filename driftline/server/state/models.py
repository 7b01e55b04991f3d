"""The tables of the state database, as SQLAlchemy models.

Times are aware and in UTC; lists and mappings are JSON columns. A change of a table needs a migration in
``migrations/versions/``.
"""

from __future__ import annotations

import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

LATEST_PLACES = 20
"""Number of places that ``Alert.places`` has."""

__all__ = [
    "LATEST_PLACES",
    "Alert",
    "AlertHistory",
    "AlertPlace",
    "AuditEntry",
    "Base",
    "Counter",
    "JoinToken",
    "LoginCode",
    "Meta",
    "Occurrence",
    "OidcLogin",
    "PolicyAck",
    "PolicyVersion",
    "SavedHunt",
    "Sensor",
    "SensorCertificate",
    "Suppression",
    "Token",
    "User",
    "UtcDateTime",
]


class UtcDateTime(sa.types.TypeDecorator[datetime.datetime]):
    """A column of aware times in UTC, also in databases without time zones (SQLite)."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime.datetime | None, dialect: sa.Dialect) -> datetime.datetime | None:
        return value.astimezone(datetime.UTC) if value else None

    def process_result_value(self, value: datetime.datetime | None, dialect: sa.Dialect) -> datetime.datetime | None:
        if value is None:
            return None
        # PostgreSQL's driver gives the time zone of the session.
        return value.astimezone(datetime.UTC) if value.tzinfo else value.replace(tzinfo=datetime.UTC)


class Base(DeclarativeBase):
    """Base of all tables."""

    # Alembic's batch migrations, which SQLite needs, find constraints by name only.
    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        datetime.datetime: UtcDateTime(),
        list[str]: sa.JSON(),
        list[Any]: sa.JSON(),
        dict[str, Any]: sa.JSON(),
    }


class Counter(Base):
    """A counter that only grows. A transaction that increments it locks its row until the commit."""

    __tablename__ = "counters"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(sa.BigInteger)


class Meta(Base):
    """A named value of this installation, such as the digest of the setup token."""

    __tablename__ = "meta"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class User(Base):
    """A user."""

    __tablename__ = "users"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    password: Mapped[str]
    """Encoded argon2id hash; empty for users of OIDC."""
    subject: Mapped[str | None] = mapped_column(unique=True)
    """Issuer and subject of the ID token, for users of OIDC."""
    role: Mapped[str]
    clusters: Mapped[list[str]]
    """Granted clusters; ``*`` for all."""
    disabled: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime.datetime]
    confirmed_at: Mapped[datetime.datetime | None]
    """Latest login by the OpenID provider; null for local users."""


class Token(Base):
    """A personal token or a session of a user."""

    __tablename__ = "tokens"
    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    name: Mapped[str]
    digest: Mapped[str] = mapped_column(unique=True)
    """SHA-256 of the secret, which has 256 random bits."""
    scopes: Mapped[list[str]]
    """Permissions that the token is limited to; empty: all of the role."""
    created_at: Mapped[datetime.datetime]
    expires_at: Mapped[datetime.datetime]
    last_used_at: Mapped[datetime.datetime | None]


class OidcLogin(Base):
    """An OIDC login in progress: the browser is at the provider."""

    __tablename__ = "oidc_logins"
    state: Mapped[str] = mapped_column(primary_key=True)
    nonce: Mapped[str]
    verifier: Mapped[str]
    port: Mapped[int | None]
    """Port on the user's machine where a command line waits; null for a login of the browser itself."""
    challenge: Mapped[str] = mapped_column(default="")
    """S256 challenge of the command line (RFC 7636)."""
    expires_at: Mapped[datetime.datetime]


class LoginCode(Base):
    """A code that a browser brings to a command line, which takes over the login with it, once."""

    __tablename__ = "login_codes"
    digest: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    challenge: Mapped[str]
    expires_at: Mapped[datetime.datetime]


class AuditEntry(Base):
    """An entry of the audit trail: a write, a hunt, or an attempt to log in."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)
    at: Mapped[datetime.datetime]
    actor: Mapped[str] = mapped_column(index=True)
    address: Mapped[str]
    request_id: Mapped[str]
    action: Mapped[str] = mapped_column(index=True)
    target: Mapped[str]
    detail: Mapped[dict[str, Any]]


class Alert(Base):
    """An alert: a finding with its repeats until it is resolved."""

    __tablename__ = "alerts"
    id: Mapped[str] = mapped_column(primary_key=True)
    change: Mapped[int] = mapped_column(sa.BigInteger, unique=True)
    """Number of the latest change, counted over all alerts; the event id in live streams."""
    open_key: Mapped[str | None] = mapped_column(unique=True)
    """Key of the findings that are counted in this alert; null once it is resolved."""
    group_key: Mapped[str] = mapped_column(index=True)
    title: Mapped[str]
    category: Mapped[str]
    severity: Mapped[str]
    techniques: Mapped[list[str]]
    description: Mapped[str]
    service_source: Mapped[str]
    detection_source: Mapped[str]
    status: Mapped[str]
    classification: Mapped[str | None]
    determination: Mapped[str | None]
    assignee: Mapped[str | None]
    suppressed_by: Mapped[str | None]
    cluster: Mapped[str]
    namespace: Mapped[str]
    pod: Mapped[str]
    workload: Mapped[str]
    image: Mapped[str]
    image_digest: Mapped[str]
    sha256: Mapped[str]
    path: Mapped[str]
    rule: Mapped[str]
    entities: Mapped[list[Any]]
    count: Mapped[int]
    first_seen: Mapped[datetime.datetime]
    last_seen: Mapped[datetime.datetime]
    updated_at: Mapped[datetime.datetime]
    spread: Mapped[list[Any]]
    """Namespace and workload of the occurrences, as a list of pairs, bounded; in the order of their discovery."""
    place_count: Mapped[int]
    """Number of rows of ``AlertPlace``."""
    new_places: Mapped[int]
    """Number of pairs added to ``spread`` since a user last acted on the alert."""
    places: Mapped[list[AlertPlace]] = relationship(
        primaryjoin=lambda: sa.and_(
            Alert.id == sa.orm.foreign(AlertPlace.alert_id), AlertPlace.number > Alert.place_count - LATEST_PLACES
        ),
        order_by="AlertPlace.number.desc()",
        viewonly=True,
        lazy="raise",
    )
    """The newest places, newest first; a query has to ask for them."""
    __table_args__ = (
        Index("ix_alerts_cluster_last_seen", "cluster", "last_seen"),
        Index("ix_alerts_last_seen_id", "last_seen", "id"),
    )


class AlertPlace(Base):
    """A place where an alert occurred, with the number and the times of the occurrences there."""

    __tablename__ = "alert_places"
    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    """Digest of alert and place."""
    alert_id: Mapped[str] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"))
    number: Mapped[int]
    """Position among the places of the alert, from 1, in the order of their discovery."""
    cluster: Mapped[str]
    namespace: Mapped[str] = mapped_column(index=True)
    workload: Mapped[str] = mapped_column(index=True)
    pod: Mapped[str] = mapped_column(index=True)
    node: Mapped[str] = mapped_column(index=True)
    count: Mapped[int]
    first_seen: Mapped[datetime.datetime]
    last_seen: Mapped[datetime.datetime]
    search: Mapped[str]
    """Texts by which the alert is found, without case; indexed (``search.py``)."""
    __table_args__ = (Index("ix_alert_places_alert_id_number", "alert_id", "number", unique=True),)


class Occurrence(Base):
    """A counted finding; the row ensures that a finding that arrives again is not counted again."""

    __tablename__ = "occurrences"
    id: Mapped[str] = mapped_column(primary_key=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime.datetime] = mapped_column(index=True)


class AlertHistory(Base):
    """An action on an alert, or a comment."""

    __tablename__ = "alert_history"
    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime.datetime]
    actor: Mapped[str]
    action: Mapped[str]
    changes: Mapped[dict[str, Any]]
    comment: Mapped[str]


class Suppression(Base):
    """A suppression rule, which resolves matching alerts when they arrive."""

    __tablename__ = "suppressions"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    reason: Mapped[str]
    conditions: Mapped[dict[str, Any]]
    cluster: Mapped[str | None]
    """Name of the cluster that the rule applies to; null: all clusters."""
    expires_at: Mapped[datetime.datetime | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime.datetime]
    hits: Mapped[int] = mapped_column(default=0)


class SavedHunt(Base):
    """A saved hunt of a user, which may be shared."""

    __tablename__ = "saved_hunts"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True, index=True)
    owner: Mapped[str]
    """Name of the user."""
    text: Mapped[str]
    parameters: Mapped[str]
    description: Mapped[str]
    shared: Mapped[bool]
    changed_at: Mapped[datetime.datetime]


class PolicyVersion(Base):
    """A version of a policy; the version with the highest number is in force."""

    __tablename__ = "policy_versions"
    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    digest: Mapped[str]
    author: Mapped[str]
    message: Mapped[str]
    created_at: Mapped[datetime.datetime]


class PolicyAck(Base):
    """The policy version that a sensor last reported to run."""

    __tablename__ = "policy_acks"
    sensor: Mapped[str] = mapped_column(primary_key=True)
    cluster: Mapped[str] = mapped_column(index=True)
    node: Mapped[str]
    name: Mapped[str]
    version: Mapped[int]
    error: Mapped[str]
    at: Mapped[datetime.datetime]


class JoinToken(Base):
    """A token with which one sensor enrols."""

    __tablename__ = "join_tokens"
    id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str]
    """SHA-256 of the secret, hexadecimal."""
    cluster: Mapped[str]
    node: Mapped[str] = mapped_column(default="")
    """The only node the token is for; empty for any node without a sensor."""
    made_by: Mapped[str] = mapped_column(default="")
    expires: Mapped[datetime.datetime]
    used: Mapped[datetime.datetime | None]
    used_key: Mapped[str] = mapped_column(default="")
    """SHA-256 of the public key the token was used for, hexadecimal; empty while unused."""
    sensor: Mapped[str] = mapped_column(default="")
    """Id of the sensor that used the token; empty while unused."""


class Sensor(Base):
    """An enrolled sensor. Rows of revoked sensors are kept."""

    __tablename__ = "sensors"
    id: Mapped[str] = mapped_column(primary_key=True)
    cluster: Mapped[str] = mapped_column(index=True)
    node: Mapped[str]
    enrolled: Mapped[datetime.datetime]
    enrolled_by: Mapped[str]
    """The join token or the service account, in words."""
    revoked: Mapped[datetime.datetime | None]
    revoked_for: Mapped[str] = mapped_column(default="")
    seen: Mapped[datetime.datetime | None]
    """Time of the last batch, as of the last save."""
    report: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """The ``SensorState`` as of the last save; empty before the first batch."""


class SensorCertificate(Base):
    """A client certificate issued to a sensor."""

    __tablename__ = "sensor_certificates"
    serial: Mapped[str] = mapped_column(primary_key=True)
    """Serial number, hexadecimal."""
    sensor: Mapped[str] = mapped_column(ForeignKey("sensors.id"), index=True)
    expires: Mapped[datetime.datetime]
