"""The audit trail: rows are added, never changed."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from driftline.server.state.models import AuditEntry

__all__ = ["add_entry", "list_entries"]


def add_entry(
    session: Session,
    action: str,
    *,
    actor: str,
    target: str,
    detail: Mapping[str, Any],
    address: str,
    request_id: str,
    at: datetime.datetime,
) -> None:
    """Add what somebody did."""
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


def list_entries(session: Session, *, before: int | None, limit: int, actor: str, action: str) -> list[AuditEntry]:
    """List entries, the newest first, those before an id."""
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    query = query.where(AuditEntry.id < before) if before is not None else query
    query = query.where(AuditEntry.actor == actor) if actor else query
    query = query.where(AuditEntry.action == action) if action else query
    return list(session.scalars(query))
