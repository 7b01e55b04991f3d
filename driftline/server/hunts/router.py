"""Hunts over HTTP: KQL over the rows of the caller's clusters, within limits."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Header, Request

from driftline import hunts
from driftline.clock import EPOCH
from driftline.errors import InvalidInput
from driftline.events import TABLES
from driftline.hunts import functions
from driftline.kql.text import constants
from driftline.server.audit import trail
from driftline.server.auth import Caller, Principal, needs
from driftline.server.context import Context, Here
from driftline.server.hunts.execution import HuntResponse, Prepared, Running
from driftline.server.hunts.formats import ARROW, JSON_LINES, chosen
from driftline.server.hunts.saved import visible
from driftline.server.hunts.schemas import ColumnInfo, HuntAnswer, HuntRequest, TableInfo
from driftline.store.query.hunt_store import Hunt

__all__ = ["router"]

router = APIRouter(tags=["hunting"])

_MICROSECOND = datetime.timedelta(microseconds=1)
_YEARS = 100 * 365
_STOPPING = "hunts"
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
async def run_hunt(
    body: HuntRequest,
    request: Request,
    here: Here,
    caller: Caller,
    accept: Annotated[
        str, Header(max_length=256, description=f"`{ARROW}`, `{JSON_LINES}`, or else a JSON object")
    ] = "",
) -> Any:
    """Run a query over the hunting tables; rows of clusters that are not granted are not there.

    The answer comes as it is read: a large one costs little memory when it is taken by lines or as
    an Arrow IPC stream. Who closes the connection cancels the hunt. Each is in the audit trail.
    """
    here.limiter.count("hunts", caller.user_id)
    running = Running(here, lambda end: _tell(request, caller, body, end))
    async with _cancelled_if_gone(request, here, running):
        await anyio.to_thread.run_sync(running.begin, lambda: _prepared(body, here, caller))
    return HuntResponse(running, media_type=chosen(accept), seconds=here.settings.hunt_fetch_seconds)


def _tell(request: Request, caller: Principal, body: HuntRequest, end: Mapping[str, Any]) -> None:
    asked = body.model_dump(exclude_defaults=True)
    trail.note(request, caller, "hunt", clusters=list(caller.clusters), **asked, **end)


def _hunt_of(text: str, body: HuntRequest, here: Context, caller: Principal) -> Hunt:
    settings = here.settings
    return Hunt(
        text=text,
        clusters=caller.visible,
        after=_after(here, body.timespan),
        parameters=body.parameters,
        seconds=settings.hunt_seconds,
        size=settings.hunt_size,
        take=body.limit,
    )


def _prepared(body: HuntRequest, here: Context, caller: Principal) -> Prepared:
    saved = visible(here, caller)
    whole = functions.compose(_text(body, saved), saved)
    return Prepared(_hunt_of(whole.text, body, here, caller), whole.with_source_positions)


def _text(body: HuntRequest, saved: Mapping[str, functions.SavedHunt]) -> str:
    if not body.run:
        return body.query
    return saved[body.run].query if body.run in saved else hunts.find(body.run).query


def _after(here: Context, timespan: str) -> int | None:
    if not timespan:
        return None
    ticks = constants.timespan_ticks(timespan)
    if ticks is None or ticks < 0:
        raise InvalidInput(f"timespan: expected a span like 30m, 12h, 7d, got {timespan!r}")
    span = min(datetime.timedelta(microseconds=ticks // 10), datetime.timedelta(days=_YEARS))
    return (here.now() - span - EPOCH) // _MICROSECOND


# The body has been read: what comes now is the end of the connection.
@contextlib.asynccontextmanager
async def _cancelled_if_gone(request: Request, here: Context, running: Running) -> AsyncIterator[None]:
    tasks = [
        asyncio.create_task(_cancel_when_gone(request, running)),
        asyncio.create_task(_cancel_when_closed(here, running)),
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


async def _cancel_when_closed(here: Context, running: Running) -> None:
    while not here.hub.closed:
        await here.hub.wait_change(_STOPPING, here.hub.number(_STOPPING), seconds=here.settings.hunt_seconds)
    running.cancel("the server stops")
