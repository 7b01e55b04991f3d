"""Endpoints of saved hunts, and of the library of hunts that ships with driftline."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request

from driftline import hunts as library
from driftline.errors import InvalidInput
from driftline.hunts.functions import SavedHunt
from driftline.server.audit.trail import AppTrail
from driftline.server.auth import Caller, Principal, needs
from driftline.server.http.parts import AppClock, AppLimiter, AppSettings, AppState
from driftline.server.hunts.execution import AppHunts
from driftline.server.hunts.schemas import LibraryHunt, NewSavedHunt, SavedHuntInfo
from driftline.server.state import State, hunts

__all__ = ["router", "visible"]

router = APIRouter(prefix="/hunts", tags=["hunting"])

Name = Annotated[str, Path(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$", examples=["Drifted"])]


def visible(state: State, caller: Principal) -> dict[str, SavedHunt]:
    """Return by name the saved hunts that a caller may use: the caller's own, and shared ones of other names."""
    with state.reading() as session:
        rows = hunts.list_visible(session, caller.user_id)
    return {row.name: SavedHunt(row.name, row.text, row.parameters) for row in rows}


@router.get("/library", dependencies=[needs("hunt")])
def list_library() -> list[LibraryHunt]:
    """List the hunts that ship with driftline."""
    return [LibraryHunt.model_validate(each) for each in library.load().values()]


@router.get("/saved", dependencies=[needs("hunt")])
def list_saved(state: AppState, caller: Caller) -> list[SavedHuntInfo]:
    """List the caller's own saved hunts and the shared ones, by name."""
    with state.reading() as session:
        return [SavedHuntInfo.model_validate(row) for row in hunts.list_visible(session, caller.user_id)]


@router.put("/saved/{name}", dependencies=[needs("hunt")])
def put_saved(  # noqa: PLR0917 -- FastAPI calls it, by name
    name: Name,
    body: NewSavedHunt,
    request: Request,
    state: AppState,
    trail: AppTrail,
    clock: AppClock,
    running: AppHunts,
    limiter: AppLimiter,
    settings: AppSettings,
    caller: Caller,
) -> SavedHuntInfo:
    """Save a hunt, replacing the caller's own hunt of this name; an invalid query is refused with the places.

    Other hunts use it by its name, as a table or, with parameters, as a function. The name of a shared hunt is unique
    among shared hunts.
    """
    if name in library.load():
        raise InvalidInput(f"name: {name!r} is a hunt of the library")
    limiter.count("hunts", caller.user_id)
    running.check(SavedHunt(name, body.text, body.parameters), visible(state, caller), seconds=settings.hunt_seconds)
    with trail.changing(request, caller.name, "hunt.save", name, **body.model_dump()) as session:
        made = hunts.put(session, caller.user_id, name, owner=caller.name, now=clock.now(), **body.model_dump())
        return SavedHuntInfo.model_validate(made)


@router.delete("/saved/{name}", status_code=204, dependencies=[needs("hunt")])
def remove_saved(name: Name, request: Request, trail: AppTrail, caller: Caller) -> None:
    """Remove one of the caller's own saved hunts."""
    with trail.changing(request, caller.name, "hunt.remove", name) as session:
        hunts.remove(session, caller.user_id, name)
