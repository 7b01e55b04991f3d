"""Versions of policies, and what sensors say they run."""

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
    """List the version in force of every policy, by name."""
    newest = select(PolicyVersion.name, func.max(PolicyVersion.version).label("version"))
    found = newest.group_by(PolicyVersion.name).subquery()
    matches = (PolicyVersion.name == found.c.name) & (PolicyVersion.version == found.c.version)
    return list(session.scalars(select(PolicyVersion).join(found, matches).order_by(PolicyVersion.name)))


def find_latest(session: Session, name: str) -> PolicyVersion:
    """Find the version in force; raises ``NotFound``."""
    query = select(PolicyVersion).where(PolicyVersion.name == name).order_by(PolicyVersion.version.desc()).limit(1)
    found = session.scalar(query)
    if found is None:
        raise NotFound(f"no policy {name!r}")
    return found


def find_version(session: Session, name: str, version: int) -> PolicyVersion:
    """Find one version; raises ``NotFound``."""
    found = session.get(PolicyVersion, (name, version))
    if found is None:
        raise NotFound(f"the policy {name!r} has no version {version}")
    return found


def list_versions(session: Session, name: str, *, before: int | None, limit: int) -> list[PolicyVersion]:
    """List versions, the newest first, those before a number."""
    query = select(PolicyVersion).where(PolicyVersion.name == name).order_by(PolicyVersion.version.desc())
    query = query.where(PolicyVersion.version < before) if before is not None else query
    return list(session.scalars(query.limit(limit)))


def add_version(
    session: Session, name: str, *, text: str, author: str, message: str, now: Time, if_version: int | None
) -> PolicyVersion:
    """Put a text in force; raises ``Conflict`` unless ``if_version``, if given, is in force (0: none)."""
    query = select(func.max(PolicyVersion.version)).where(PolicyVersion.name == name)
    latest = session.scalar(query) or 0
    if if_version not in (None, latest):
        raise Conflict(f"the policy changed meanwhile; version {latest} is in force")
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
    """Note what sensors run: for each the columns of ``PolicyAck``."""
    for ack in acks:
        session.merge(PolicyAck(**ack))


def list_acks(session: Session, clusters: tuple[str, ...] | None, *, after: str, limit: int) -> list[PolicyAck]:
    """List what the sensors of these clusters run, by sensor, those after one."""
    query = select(PolicyAck).where(PolicyAck.sensor > after).order_by(PolicyAck.sensor).limit(limit)
    return list(session.scalars(query.where(PolicyAck.cluster.in_(clusters)) if clusters is not None else query))
