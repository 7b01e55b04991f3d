"""Hunts over HTTP: KQL over the rows of the caller's clusters, within limits."""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Iterator
from typing import Annotated, Any

import pyarrow as pa
from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from driftline.errors import DriftlineError, InvalidInput, TooMany
from driftline.events import TABLES
from driftline.kql import constants
from driftline.server import audit
from driftline.server.auth import Caller, needs
from driftline.server.context import Context, Here
from driftline.server.hunts.answers import arrow_stream, json_rows, kusto_types
from driftline.server.hunts.tables import seen_tables
from driftline.store import hunting

__all__ = ["router"]

router = APIRouter(tags=["hunting"])

ARROW = "application/vnd.apache.arrow.stream"
_TURN_SECONDS = 2.0
_YEARS = 100 * 365


class HuntRequest(BaseModel):
    """A query to run."""

    model_config = ConfigDict(extra="forbid")
    query: str = Field(
        min_length=1,
        max_length=1 << 16,
        description="KQL",
        examples=['CloudProcessEvents | where Drift == "yes" | summarize count() by ContainerImageName'],
    )
    timespan: str = Field(
        default="", max_length=32, description="Only rows of this span back from now; empty: all", examples=["7d"]
    )
    limit: int = Field(default=10_000, ge=1, le=1_000_000, description="Most rows to give")


class HuntColumn(BaseModel):
    """A column of the answer."""

    model_config = ConfigDict(from_attributes=True)
    name: str = Field(examples=["Timestamp"])
    type: str = Field(description="Kusto type", examples=["datetime"])


class HuntAnswer(BaseModel):
    """The rows a query found."""

    columns: list[HuntColumn]
    rows: list[dict[str, Any]]
    truncated: bool = Field(description="Whether there were more rows than `limit`")
    seconds: float = Field(description="How long it took")


class ColumnInfo(HuntColumn):
    """A column of a hunting table."""

    description: str


class TableInfo(BaseModel):
    """A hunting table."""

    name: str = Field(examples=["CloudProcessEvents"])
    description: str
    columns: list[ColumnInfo]


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
    responses={200: {"content": {ARROW: {"schema": {"type": "string", "format": "binary"}}}}},
)
def run_hunt(
    body: HuntRequest,
    request: Request,
    here: Here,
    caller: Caller,
    accept: Annotated[str, Header(max_length=256, description=f"`{ARROW}` for an Arrow IPC stream")] = "",
) -> Any:
    """Run a query over the hunting tables; rows of clusters that are not granted are not there."""
    here.limiter.count("hunts", caller.user_id)
    after = _after(here, body.timespan)
    audit.note(request, caller, "hunt", query=body.query, timespan=body.timespan, clusters=list(caller.clusters))
    begun = time.perf_counter()
    with _turn(here), _counted(here):
        tables = seen_tables(body.query, here.storage, clusters=caller.visible, after=after)
        rows = hunting.hunt(body.query, tables, limits=_limits(here))
    shown = rows.slice(0, body.limit)
    if ARROW in accept:
        headers = {"X-Truncated": str(rows.num_rows > body.limit).lower()}
        return StreamingResponse(arrow_stream(shown), media_type=ARROW, headers=headers)
    return _answer(shown, truncated=rows.num_rows > body.limit, seconds=time.perf_counter() - begun)


def _limits(here: Context) -> hunting.Limits:
    return hunting.Limits(memory=here.settings.hunt_memory, seconds=here.settings.hunt_seconds)


def _answer(rows: pa.Table, *, truncated: bool, seconds: float) -> HuntAnswer:
    columns = [HuntColumn(name=name, type=kind) for name, kind in kusto_types(rows).items()]
    return HuntAnswer(columns=columns, rows=json_rows(rows), truncated=truncated, seconds=round(seconds, 6))


def _after(here: Context, timespan: str) -> datetime.datetime | None:
    if not timespan:
        return None
    ticks = constants.timespan_ticks(timespan)
    if ticks is None or ticks < 0:
        raise InvalidInput(f"timespan: expected a span like 30m, 12h, 7d, got {timespan!r}")
    span = min(datetime.timedelta(microseconds=ticks // 10), datetime.timedelta(days=_YEARS))
    return here.now() - span


# Few at once, as each may take the memory it is allowed; others wait a little, then are sent away.
@contextlib.contextmanager
def _turn(here: Context) -> Iterator[None]:
    if not here.hunting.acquire(timeout=_TURN_SECONDS):
        raise TooMany("other hunts are running; try again", seconds=_TURN_SECONDS)
    try:
        yield
    finally:
        here.hunting.release()


@contextlib.contextmanager
def _counted(here: Context) -> Iterator[None]:
    try:
        yield
    except DriftlineError as error:
        here.metrics.hunts.labels(type(error).__name__).inc()
        raise
    here.metrics.hunts.labels("ok").inc()
