"""Queries on policy versions, and on the versions that sensors report to run."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from driftline.errors import Conflict, NotFound
from driftline.server.state.models import PolicyAck, PolicyVersion

__all__ = ["acknowledge", "add_version", "all_latest", "find_latest", "find_version", "list_acks", "list_versions"]

Time = datetime.datetime


def all_latest(session: Session) -> list[PolicyVersion]:
    """Return the version in force of every policy, sorted by name."""
    newest = select(PolicyVersion.name, func.max(PolicyVersion.version).label("version"))
    found = newest.group_by(PolicyVersion.name).subquery()
    matches = (PolicyVersion.name == found.c.name) & (PolicyVersion.version == found.c.version)
    return list(session.scalars(select(PolicyVersion).join(found, matches).order_by(PolicyVersion.name)))


def find_latest(session: Session, name: str) -> PolicyVersion:
    """Return the version in force of a policy; raises ``NotFound`` if there is no policy with this name."""
    query = select(PolicyVersion).where(PolicyVersion.name == name).order_by(PolicyVersion.version.desc()).limit(1)
    found = session.scalar(query)
    if found is None:
        raise NotFound(f"no policy {name!r}")
    return found


def find_version(session: Session, name: str, version: int) -> PolicyVersion:
    """Return one version of a policy; raises ``NotFound``."""
    found = session.get(PolicyVersion, (name, version))
    if found is None:
        raise NotFound(f"the policy {name!r} has no version {version}")
    return found


def list_versions(session: Session, name: str, *, before: int | None, limit: int) -> list[PolicyVersion]:
    """Return at most ``limit`` versions with numbers below ``before`` (``None``: all), the newest first."""
    query = select(PolicyVersion).where(PolicyVersion.name == name).order_by(PolicyVersion.version.desc())
    query = query.where(PolicyVersion.version < before) if before is not None else query
    return list(session.scalars(query.limit(limit)))


def add_version(
    session: Session, name: str, *, text: str, author: str, message: str, now: Time, if_version: int | None
) -> PolicyVersion:
    """Add a new version of a policy, which is in force from then on, and return it.

    Raises ``Conflict`` unless version ``if_version`` is in force (0: no version yet); ``None`` does not check.
    """
    query = select(func.max(PolicyVersion.version)).where(PolicyVersion.name == name)
    latest = session.scalar(query) or 0
    if if_version not in (None, latest):
        raise Conflict(f"the policy has changed; version {latest} is in force")
    made = PolicyVersion(
        name=name,
        version=latest + 1,
        text=text,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        author=author,
        message=message,
        created_at=now,
    )
    session.add(made)
    session.flush()
    return made


def acknowledge(session: Session, acks: Sequence[Mapping[str, Any]]) -> None:
    """Record the versions that sensors report; each mapping has the columns of ``PolicyAck``."""
    for ack in acks:
        session.merge(PolicyAck(**ack))


def list_acks(session: Session, clusters: tuple[str, ...] | None, *, after: str, limit: int) -> list[PolicyAck]:
    """Return the reports of at most ``limit`` sensors with ids above ``after``, sorted by sensor id.

    ``clusters`` are the visible clusters, ``None`` for all; ``after`` is empty for the first page.
    """
    query = select(PolicyAck).where(PolicyAck.sensor > after).order_by(PolicyAck.sensor).limit(limit)
    return list(session.scalars(query.where(PolicyAck.cluster.in_(clusters)) if clusters is not None else query))
