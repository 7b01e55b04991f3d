"""Queries on the audit trail, whose rows are only added, never changed or removed."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from driftline.server.state.models import AuditEntry

__all__ = ["Action", "add_entry", "list_entries"]

Action = Literal[
    "alert.assign",
    "alert.classify",
    "alert.comment",
    "alert.release",
    "alert.reopen",
    "alert.resolve",
    "alert.start",
    "hunt",
    "hunt.remove",
    "hunt.save",
    "join-token.make",
    "join-token.remove",
    "list.remove",
    "list.upload",
    "login",
    "login.code",
    "login.refused",
    "logout",
    "password.change",
    "policy.put",
    "policy.rollback",
    "sensor.revoke",
    "setup",
    "suppression.make",
    "suppression.remove",
    "token.make",
    "token.revoke",
    "user.change",
    "user.make",
    "user.remove",
    "user.reset",
]
"""What an entry records."""


def add_entry(
    session: Session,
    action: Action,
    *,
    actor: str,
    target: str,
    detail: Mapping[str, Any],
    address: str,
    request_id: str,
    at: datetime.datetime,
) -> None:
    """Add an entry.

    ``actor`` is a user's name, ``address`` the IP address of the request, ``request_id`` its id in the server's
    log, ``at`` the time in UTC.
    """
    session.add(
        AuditEntry(
            at=at,
            actor=actor,
            address=address,
            request_id=request_id,
            action=action,
            target=target,
            detail=dict(detail),
        )
    )


def list_entries(
    session: Session, *, before: int | None, limit: int, actor: str, action: Action | None
) -> list[AuditEntry]:
    """Return at most ``limit`` entries with ids below ``before``, the newest first.

    An empty ``actor`` and no ``action`` do not filter; ``before`` is ``None`` for the first page.
    """
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    query = query.where(AuditEntry.id < before) if before is not None else query
    query = query.where(AuditEntry.actor == actor) if actor else query
    query = query.where(AuditEntry.action == action) if action else query
    return list(session.scalars(query))
