"""The audit trail: every write leaves its row in the transaction that makes it."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict

from driftline.server.auth.caller import CHANGES, Caller, needs
from driftline.server.auth.roles import Principal
from driftline.server.context import Context, Here, context_of
from driftline.server.http.paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from driftline.server.state import Session
from driftline.server.state import audit as entries

__all__ = ["changing", "note", "router"]

router = APIRouter(prefix="/audit", tags=["audit"])


class Entry(BaseModel):
    """One write, one hunt, or one attempt to log in."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "id": 12,
                    "at": "2026-11-23T10:00:00Z",
                    "actor": "ada",
                    "address": "10.0.0.7",
                    "request_id": "5f0c",
                    "action": "alert.resolve",
                    "target": "9a1f",
                    "detail": {"classification": "false positive"},
                }
            ]
        },
    )
    id: int
    at: datetime.datetime
    actor: str
    address: str
    request_id: str
    action: str
    target: str
    detail: dict[str, Any]


@router.get("", dependencies=[needs("audit:read")])
def list_audit(
    here: Here,
    caller: Caller,
    limit: Limit = 100,
    cursor: Cursor = "",
    actor: Annotated[str, Query(description="Only what this user did")] = "",
    action: Annotated[str, Query(description="Only this action", examples=["hunt"])] = "",
) -> Page[Entry]:
    """List the audit trail, the newest first; it is of all clusters, as who reads it has to be."""
    caller.check_everywhere()
    key = decode_cursor(cursor, int)
    with here.state.reading() as session:
        rows = entries.list_entries(
            session, before=key[0] if key else None, limit=limit + 1, actor=actor, action=action
        )
    shown = rows[:limit]
    more = encode_cursor(shown[-1].id) if len(rows) > limit else ""
    return Page(items=[Entry.model_validate(row) for row in shown], next=more)


@contextlib.contextmanager
def changing(request: Request, who: Principal | str, action: str, target: str = "", **detail: Any) -> Iterator[Session]:
    """Enter a writing transaction whose audit row says who does what to what."""
    context = context_of(request)
    with context.state.writing() as session:
        yield session
        _add(context, session, request, who, action, target, detail)
    context.hub.signal(CHANGES)


def note(request: Request, who: Principal | str, action: str, target: str = "", **detail: Any) -> None:
    """Add an audit row for what changes nothing in the state: a hunt, a login refused."""
    context = context_of(request)
    with context.state.writing() as session:
        _add(context, session, request, who, action, target, detail)


def _add(
    context: Context,
    session: Session,
    request: Request,
    who: Principal | str,
    action: str,
    target: str,
    detail: dict[str, Any],
) -> None:
    entries.add_entry(
        session,
        action,
        actor=who if isinstance(who, str) else who.name,
        target=target,
        detail=detail,
        address=request.client.host if request.client else "",
        request_id=getattr(request.state, "request_id", ""),
        at=context.now(),
    )
