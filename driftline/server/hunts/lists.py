"""Endpoints of lists: CSV files that an administrator uploads, and that all hunts may read.

A list is stored as a shared saved hunt that returns its rows, so that it is found, composed and limited as one.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from driftline import hunts as library
from driftline.errors import InvalidInput
from driftline.hunts import lists
from driftline.hunts.functions import SavedHunt
from driftline.kql.text.list_names import list_name
from driftline.server.audit.trail import AppTrail
from driftline.server.auth import Caller, needs
from driftline.server.http.parts import AppClock, AppSettings
from driftline.server.hunts.execution import AppHunts
from driftline.server.hunts.schemas import SavedHuntInfo
from driftline.server.state import hunts

__all__ = ["router"]

router = APIRouter(prefix="/hunts/lists", tags=["hunting"])

Name = Annotated[str, Path(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$", examples=["HighValueAssets"])]


class NewList(BaseModel):
    """A list to upload; its values are texts."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"csv": "IPAddress,Owner\n10.0.0.1,ops\n", "search_key": "IPAddress"}]},
    )
    csv: str = Field(min_length=1, max_length=lists.MOST_CHARACTERS, description="Rows as CSV, with a header")
    search_key: str = Field(
        default="", max_length=256, description="Column that the column SearchKey repeats; empty means the first one"
    )


@router.put("/{name}", dependencies=[needs("users:write")])
def put_list(
    name: Name,
    body: NewList,
    request: Request,
    trail: AppTrail,
    clock: AppClock,
    running: AppHunts,
    settings: AppSettings,
    caller: Caller,
) -> SavedHuntInfo:
    """Upload a list, replacing the one of this name; hunts read it with `_GetWatchlist('name')` or `externaldata`."""
    stored = list_name(name)
    if stored in library.load():
        raise InvalidInput(f"name: {stored!r} is a hunt of the library")
    text = lists.datatable(body.csv, body.search_key)
    running.check(SavedHunt(stored, text), {}, seconds=settings.hunt_seconds)
    with trail.changing(request, caller.name, "list.upload", stored, characters=len(body.csv)) as session:
        made = hunts.put(
            session,
            caller.user_id,
            stored,
            owner=caller.name,
            text=text,
            parameters="",
            description="A list; hunts read it with _GetWatchlist or externaldata.",
            shared=True,
            now=clock.now(),
        )
        return SavedHuntInfo.model_validate(made)


@router.delete("/{name}", status_code=204, dependencies=[needs("users:write")])
def remove_list(name: Name, request: Request, trail: AppTrail, caller: Caller) -> None:
    """Remove a list that you have uploaded."""
    with trail.changing(request, caller.name, "list.remove", list_name(name)) as session:
        hunts.remove(session, caller.user_id, list_name(name))
