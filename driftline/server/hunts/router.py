"""Endpoints of hunts: KQL over the rows of the caller's clusters, within limits, and the hunting tables."""

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
from driftline.events import TABLES, VIEWS
from driftline.hunts import functions
from driftline.hunts.schema import column_types
from driftline.kql.text import constants
from driftline.server.audit.trail import AppTrail
from driftline.server.auth import Caller, Principal, needs
from driftline.server.http.parts import AppClock, AppHub, AppLimiter, AppSettings, AppState
from driftline.server.hunts.execution import AppHunts, HuntResponse, Prepared, RunningHunt
from driftline.server.hunts.formats import ARROW, JSON_LINES, chosen
from driftline.server.hunts.saved import visible
from driftline.server.hunts.schemas import ColumnInfo, HuntAnswer, HuntRequest, TableInfo
from driftline.server.settings import Settings
from driftline.server.signals import HUNTS, Hub
from driftline.store.query.hunt_store import Hunt
from driftline.store.query.limits import Stop

__all__ = ["router"]

router = APIRouter(tags=["hunting"])

_MICROSECOND = datetime.timedelta(microseconds=1)
_YEARS = 100 * 365  # days; a longer timespan would leave the range of Python's times
_WAIT_SECONDS = 60.0  # any time: the wait ends with the hunt or the server
_FORMATS: Mapping[str, Any] = {
    ARROW: {"schema": {"type": "string", "format": "binary"}},
    JSON_LINES: {"schema": {"type": "string"}, "example": '{"FileName": "miner", "count_": 3}\n'},
}


@router.get("/tables", dependencies=[needs("hunt")])
def list_tables() -> list[TableInfo]:
    """List the hunting tables and views with their columns.

    The columns without a description are those that a query gets only if it mentions them, and those of views.
    """
    tables = [
        TableInfo(
            name=table.name,
            description=table.description,
            columns=[
                *(ColumnInfo(name=each.name, type=each.type, description=each.description) for each in table.columns),
                *_defined_columns(table.name),
            ],
        )
        for table in TABLES.values()
    ]
    views = [
        TableInfo(name=view.name, description=view.description, columns=_defined_columns(view.name))
        for view in VIEWS.values()
    ]
    return tables + views


def _defined_columns(name: str) -> list[ColumnInfo]:
    return [ColumnInfo(name=column, type=kind, description="") for column, kind in column_types(name).items()]


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
        str, Header(max_length=256, description=f"`{ARROW}`, `{JSON_LINES}`, otherwise a JSON object")
    ] = "",
) -> Any:
    """Run a query over the hunting tables, which have only rows of the granted clusters.

    The answer is streamed; as JSON Lines or an Arrow IPC stream the client can process it in constant memory. Closing
    the connection cancels the hunt. Every hunt is recorded in the audit trail.
    """
    limiter.count("hunts", caller.user_id)

    def record(end: Mapping[str, Any]) -> None:
        asked = body.model_dump(exclude_defaults=True)
        trail.note(request, caller.name, "hunt", clusters=list(caller.clusters), **asked, **end)

    def prepare(stop: Stop) -> Prepared:
        after, saved = _after(body.timespan, clock.now()), visible(state, caller)
        whole = hunts.storage.compose(_text(body, saved), saved, seconds=settings.hunt_seconds, stop=stop)
        return _prepared(body, whole, caller, settings=settings, after=after)

    running = RunningHunt(hunts, record)
    async with _cancelled_if_gone(request, hub, running):
        await anyio.to_thread.run_sync(running.begin, prepare)
    return HuntResponse(running, media_type=chosen(accept), seconds=settings.hunt_fetch_seconds)


def _prepared(
    body: HuntRequest,
    whole: functions.ComposedHunt,
    caller: Principal,
    *,
    settings: Settings,
    after: int | None,
) -> Prepared:
    hunt = Hunt(
        text=whole.text,
        clusters=caller.visible,
        after=after,
        parameters=body.parameters,
        seconds=settings.hunt_seconds,
        size=settings.hunt_size,
        take=body.limit,
    )
    return Prepared(hunt, whole.with_source_positions)


# A saved hunt takes precedence over a hunt of the library of the same name.
def _text(body: HuntRequest, saved: Mapping[str, functions.SavedHunt]) -> str:
    if not body.run:
        return body.query
    return saved[body.run].query if body.run in saved else library.find(body.run).query


def _after(timespan: str, now: datetime.datetime) -> int | None:
    if not timespan:
        return None
    ticks = constants.timespan_ticks(timespan)
    if ticks is None or ticks < 0:
        raise InvalidInput(f"timespan: expected a timespan such as 30m, 12h or 7d, got {timespan!r}")
    span = min(datetime.timedelta(microseconds=ticks // 10), datetime.timedelta(days=_YEARS))
    return (now - span - EPOCH) // _MICROSECOND


# While a hunt begins, nothing else awaits the connection. The body has been read, so the next ASGI message is
# http.disconnect.
@contextlib.asynccontextmanager
async def _cancelled_if_gone(request: Request, hub: Hub, running: RunningHunt) -> AsyncIterator[None]:
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


async def _cancel_when_gone(request: Request, running: RunningHunt) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    running.cancel("the client disconnected")


async def _cancel_when_closed(hub: Hub, running: RunningHunt) -> None:
    while not hub.closed:
        await hub.wait_change(HUNTS, hub.number(HUNTS), seconds=_WAIT_SECONDS)
    running.cancel("the server is stopping")
