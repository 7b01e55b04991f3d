"""The tables of the state. Times are UTC and aware; a list or a mapping is JSON."""

from __future__ import annotations

import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = [
    "Alert",
    "AlertHistory",
    "AuditEntry",
    "Base",
    "Counter",
    "Meta",
    "Occurrence",
    "OidcLogin",
    "PolicyAck",
    "PolicyVersion",
    "SavedHunt",
    "Suppression",
    "Token",
    "User",
    "UtcDateTime",
]


class UtcDateTime(sa.types.TypeDecorator[datetime.datetime]):
    """An aware time in UTC, also where the database knows no zones (SQLite)."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime.datetime | None, dialect: sa.Dialect) -> datetime.datetime | None:
        return value.astimezone(datetime.UTC) if value else None

    def process_result_value(self, value: datetime.datetime | None, dialect: sa.Dialect) -> datetime.datetime | None:
        if value is None or value.tzinfo:
            return value
        return value.replace(tzinfo=datetime.UTC)


class Base(DeclarativeBase):
    """Every table of the state."""

    # Named, since SQLite's migrations find constraints by name only.
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
    """A number that only grows; whoever takes the next holds the row until the commit."""

    __tablename__ = "counters"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(sa.BigInteger)


class Meta(Base):
    """One fact about this installation."""

    __tablename__ = "meta"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class User(Base):
    """Somebody who may log in."""

    __tablename__ = "users"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    password: Mapped[str]
    """argon2id, encoded; empty for who comes by OIDC."""
    subject: Mapped[str | None] = mapped_column(unique=True)
    """Issuer and subject of who comes by OIDC."""
    role: Mapped[str]
    clusters: Mapped[list[str]]
    disabled: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime.datetime]


class Token(Base):
    """A secret that stands for a user: a personal token, or a session."""

    __tablename__ = "tokens"
    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    name: Mapped[str]
    digest: Mapped[str] = mapped_column(unique=True)
    """SHA-256 of the secret, which has 256 random bits."""
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime.datetime]
    expires_at: Mapped[datetime.datetime]
    last_used_at: Mapped[datetime.datetime | None]


class OidcLogin(Base):
    """A login that has left for the provider and is to come back."""

    __tablename__ = "oidc_logins"
    state: Mapped[str] = mapped_column(primary_key=True)
    nonce: Mapped[str]
    verifier: Mapped[str]
    expires_at: Mapped[datetime.datetime]


class AuditEntry(Base):
    """One write, one hunt, or one attempt to log in."""

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
    """One alert: everything that repeats one finding, until somebody resolves it."""

    __tablename__ = "alerts"
    id: Mapped[str] = mapped_column(primary_key=True)
    change: Mapped[int] = mapped_column(sa.BigInteger, unique=True)
    """Number of its latest change among those of all alerts; the live stream's position."""
    open_key: Mapped[str | None] = mapped_column(unique=True)
    """The group it collects repeats of; null once it is resolved."""
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
    __table_args__ = (
        Index("ix_alerts_cluster_last_seen", "cluster", "last_seen"),
        Index("ix_alerts_last_seen_id", "last_seen", "id"),
    )


class Occurrence(Base):
    """One alert as a sensor raised it; that it is here says that it is counted."""

    __tablename__ = "occurrences"
    id: Mapped[str] = mapped_column(primary_key=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime.datetime] = mapped_column(index=True)


class AlertHistory(Base):
    """One change of an alert by somebody, or a comment."""

    __tablename__ = "alert_history"
    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime.datetime]
    actor: Mapped[str]
    action: Mapped[str]
    changes: Mapped[dict[str, Any]]
    comment: Mapped[str]


class Suppression(Base):
    """A rule by which alerts are resolved as they arrive."""

    __tablename__ = "suppressions"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    reason: Mapped[str]
    conditions: Mapped[dict[str, Any]]
    cluster: Mapped[str | None]
    """The one cluster it holds in; null: in all."""
    expires_at: Mapped[datetime.datetime | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime.datetime]
    hits: Mapped[int] = mapped_column(default=0)


class SavedHunt(Base):
    """A hunt that somebody keeps, and may share."""

    __tablename__ = "saved_hunts"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True, index=True)
    owner: Mapped[str]
    """The user's name."""
    text: Mapped[str]
    parameters: Mapped[str]
    description: Mapped[str]
    shared: Mapped[bool]
    changed_at: Mapped[datetime.datetime]


class PolicyVersion(Base):
    """One version of a policy; the highest number is the one in force."""

    __tablename__ = "policy_versions"
    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    digest: Mapped[str]
    author: Mapped[str]
    message: Mapped[str]
    created_at: Mapped[datetime.datetime]


class PolicyAck(Base):
    """What a sensor last said of the policy it runs."""

    __tablename__ = "policy_acks"
    sensor: Mapped[str] = mapped_column(primary_key=True)
    cluster: Mapped[str] = mapped_column(index=True)
    node: Mapped[str]
    name: Mapped[str]
    version: Mapped[int]
    error: Mapped[str]
    at: Mapped[datetime.datetime]
