"""Hunts over HTTP: KQL over the rows of the caller's clusters, within limits."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Header, Request

from driftline import hunts as library
from driftline.clock import EPOCH
from driftline.errors import InvalidInput
from driftline.events import TABLES
from driftline.hunts import functions
from driftline.kql.text import constants
from driftline.server.audit.trail import AppTrail
from driftline.server.auth import Caller, Principal, needs
from driftline.server.http.parts import AppClock, AppHub, AppLimiter, AppSettings, AppState
from driftline.server.hunts.execution import AppHunts, HuntResponse, Prepared, Running
from driftline.server.hunts.formats import ARROW, JSON_LINES, chosen
from driftline.server.hunts.saved import visible
from driftline.server.hunts.schemas import ColumnInfo, HuntAnswer, HuntRequest, TableInfo
from driftline.server.settings import Settings
from driftline.server.signals import HUNTS, Hub
from driftline.store.query.hunt_store import Hunt

__all__ = ["router"]

router = APIRouter(tags=["hunting"])

_MICROSECOND = datetime.timedelta(microseconds=1)
_YEARS = 100 * 365
_WAIT_SECONDS = 60.0
_FORMATS: Mapping[str, Any] = {
    ARROW: {"schema": {"type": "string", "format": "binary"}},
    JSON_LINES: {"schema": {"type": "string"}, "example": '{"FileName": "miner", "count_": 3}\n'},
}


@router.get("/tables", dependencies=[needs("hunt")])
def list_tables() -> list[TableInfo]:
    """List the hunting tables with their columns."""
    return [
        TableInfo(
            name=table.name,
            description=table.description,
            columns=[
                ColumnInfo(name=each.name, type=each.type, description=each.description) for each in table.columns
            ],
        )
        for table in TABLES.values()
    ]


@router.post(
    "/hunt",
    dependencies=[needs("hunt")],
    response_model=HuntAnswer,
    responses={
        200: {
            "content": _FORMATS,
            "headers": {
                "X-Truncated": {
                    "description": "Whether there were more rows than `limit`",
                    "schema": {"type": "string", "enum": ["true", "false"]},
                }
            },
        }
    },
)
async def run_hunt(  # noqa: PLR0917 -- FastAPI calls it, by name
    body: HuntRequest,
    request: Request,
    hunts: AppHunts,
    state: AppState,
    trail: AppTrail,
    limiter: AppLimiter,
    hub: AppHub,
    clock: AppClock,
    settings: AppSettings,
    caller: Caller,
    accept: Annotated[
        str, Header(max_length=256, description=f"`{ARROW}`, `{JSON_LINES}`, or else a JSON object")
    ] = "",
) -> Any:
    """Run a query over the hunting tables; rows of clusters that are not granted are not there.

    The answer comes as it is read: a large one costs little memory when it is taken by lines or as
    an Arrow IPC stream. Who closes the connection cancels the hunt. Each is in the audit trail.
    """
    limiter.count("hunts", caller.user_id)

    def record(end: Mapping[str, Any]) -> None:
        asked = body.model_dump(exclude_defaults=True)
        trail.note(request, caller.name, "hunt", clusters=list(caller.clusters), **asked, **end)

    def prepare() -> Prepared:
        return _prepared(body, visible(state, caller), caller, settings=settings, now=clock.now())

    running = Running(hunts, record)
    async with _cancelled_if_gone(request, hub, running):
        await anyio.to_thread.run_sync(running.begin, prepare)
    return HuntResponse(running, media_type=chosen(accept), seconds=settings.hunt_fetch_seconds)


def _prepared(
    body: HuntRequest,
    saved: Mapping[str, functions.SavedHunt],
    caller: Principal,
    *,
    settings: Settings,
    now: datetime.datetime,
) -> Prepared:
    whole = functions.compose(_text(body, saved), saved)
    hunt = Hunt(
        text=whole.text,
        clusters=caller.visible,
        after=_after(body.timespan, now),
        parameters=body.parameters,
        seconds=settings.hunt_seconds,
        size=settings.hunt_size,
        take=body.limit,
    )
    return Prepared(hunt, whole.with_source_positions)


def _text(body: HuntRequest, saved: Mapping[str, functions.SavedHunt]) -> str:
    if not body.run:
        return body.query
    return saved[body.run].query if body.run in saved else library.find(body.run).query


def _after(timespan: str, now: datetime.datetime) -> int | None:
    if not timespan:
        return None
    ticks = constants.timespan_ticks(timespan)
    if ticks is None or ticks < 0:
        raise InvalidInput(f"timespan: expected a span like 30m, 12h, 7d, got {timespan!r}")
    span = min(datetime.timedelta(microseconds=ticks // 10), datetime.timedelta(days=_YEARS))
    return (now - span - EPOCH) // _MICROSECOND


# The body has been read: what comes now is the end of the connection.
@contextlib.asynccontextmanager
async def _cancelled_if_gone(request: Request, hub: Hub, running: Running) -> AsyncIterator[None]:
    tasks = [
        asyncio.create_task(_cancel_when_gone(request, running)),
        asyncio.create_task(_cancel_when_closed(hub, running)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _cancel_when_gone(request: Request, running: Running) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    running.cancel("the caller went away")


async def _cancel_when_closed(hub: Hub, running: Running) -> None:
    while not hub.closed:
        await hub.wait_change(HUNTS, hub.number(HUNTS), seconds=_WAIT_SECONDS)
    running.cancel("the server stops")
