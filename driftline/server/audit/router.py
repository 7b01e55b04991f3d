"""Reading the audit trail over HTTP."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from driftline.server.http.choices import any_case
from driftline.server.http.paging import Cursor, Limit, Page, decode_cursor, page_of
from driftline.server.http.parts import AppState
from driftline.server.state import audit as entries
from driftline.server.state.audit import Action

__all__ = ["router"]


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


def list_audit(
    state: AppState,
    limit: Limit = 100,
    cursor: Cursor = "",
    actor: Annotated[str, Query(description="Only what this user did")] = "",
    action: Annotated[Action | None, any_case(Action), Query(description="Only this action")] = None,
) -> Page[Entry]:
    """List the audit trail, the newest first; it is of all clusters, as who reads it has to be."""
    key = decode_cursor(cursor, int)
    with state.reading() as session:
        rows = entries.list_entries(
            session, before=key[0] if key else None, limit=limit + 1, actor=actor, action=action
        )
    return page_of(rows, limit=limit, item=Entry.model_validate, key=lambda row: (row.id,))


def router(required: Sequence[Any]) -> APIRouter:
    """Make the router; ``required`` are the dependencies that refuse callers who may not read the trail.

    They are given by the app, because authentication writes audit rows and so lies above this package.
    """
    made = APIRouter(prefix="/audit", tags=["audit"])
    made.get("", dependencies=list(required))(list_audit)
    return made
