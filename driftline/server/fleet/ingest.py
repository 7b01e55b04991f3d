"""Endpoint of ingest: a batch of a sensor is checked, stored, passed to the listeners, and then acknowledged.

The checks go from cheap to expensive, so that a refused batch costs little: the sensor's certificate, its clock, the
space on the disk, the memory budget (while the body is read), the format of the body (in one of two threads), the owner
of the rows, the sensor's share of alerts, and at last the store.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Annotated

import anyio.to_thread
import pyarrow as pa
from fastapi import APIRouter, Header, Request
from starlette.requests import ClientDisconnect

from driftline import wire
from driftline.clock import EPOCH
from driftline.errors import (
    DriftlineError,
    Forbidden,
    ForeignRows,
    InvalidBatch,
    InvalidInput,
    StoreFull,
    StoreOverloaded,
    TooMany,
)
from driftline.server.auth.peers import Peer
from driftline.server.fleet.enrolment import CLOCK_MAX, check_clock
from driftline.server.fleet.gateway import AppGateway, Gateway
from driftline.server.http.backpressure import Held
from driftline.server.pki import Identity
from driftline.store.files.dedup import Batch
from driftline.wire.protocol import FIRST_HEADER, FLOOR_HEADER, TIME_HEADER, VERSION_HEADER, Acknowledgement

__all__ = ["router"]

router = APIRouter(prefix="/ingest", tags=["sensors"])

NUMBER_MAX = 1 << 62  # leaves room for adding a batch's rows within 64 bits
_BODY_SECONDS = 60.0
_TIME_MAX = 4_102_444_800_000_000  # 2100-01-01, in microseconds since 1970


_BODY = {"content": {wire.CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}}}, "required": True}


@router.post("", openapi_extra={"requestBody": _BODY})
async def ingest(
    request: Request,
    gateway: AppGateway,
    peer: Peer,
    first: Annotated[int, Header(alias=FIRST_HEADER, ge=0, le=NUMBER_MAX)],
    time: Annotated[int, Header(alias=TIME_HEADER, ge=0, le=_TIME_MAX)],
    floor: Annotated[int, Header(alias=FLOOR_HEADER, ge=0, le=NUMBER_MAX)] = 0,
    version: Annotated[str, Header(alias=VERSION_HEADER, max_length=64)] = "",
) -> Acknowledgement:
    """Store a batch of rows of hunting tables from the sensor's own node, each row once.

    Headers give the number of the first row, the lowest number that the sensor may send again (floor), and the sensor's
    time in microseconds since 1970, UTC. A batch that was stored before is acknowledged without being stored again.
    """
    now = gateway.clock.now()
    clock = EPOCH + datetime.timedelta(microseconds=time)
    step = _Step()
    with gateway.refusals.logging(f"sensor {peer.sensor} on {peer.node}"):
        try:
            check_clock(clock, now)
            taken = await _receive(request, gateway, peer, (first, floor), step)
        except DriftlineError:
            # A refused sensor is not silent, and its refusals are shown.
            gateway.note_refusal(peer, step.name, now=now, clock=clock, version=version)
            raise
    gateway.sensor_states.record(peer, taken.tables, now=now, clock=clock, version=version)
    return Acknowledgement(first=first, last=first + taken.rows - 1, stored=taken.stored)


@dataclasses.dataclass(slots=True)
class _Step:
    """The part of the ingest that a batch has reached: the reason of its refusal, if there is one."""

    name: str = "clock"


@dataclasses.dataclass(frozen=True, slots=True)
class _Taken:
    tables: Mapping[str, pa.Table]
    rows: int
    stored: int


async def _receive(request: Request, gateway: Gateway, peer: Identity, numbers: tuple[int, int], step: _Step) -> _Taken:
    step.name = "room"
    _check_space(gateway)
    _check_length(request, gateway)
    reading = asyncio.timeout(_BODY_SECONDS)
    with gateway.room.enter(peer.sensor, lambda: None if reading.expired() else reading.reschedule(0)) as held:
        body = await _read(request, held, reading, step)
        step.name = "batch"
        tables = await anyio.to_thread.run_sync(_decode, gateway, peer, body, limiter=gateway.decoders)
        del body  # so that its memory is free while waiting for the commit
        batch = Batch(peer.sensor, *numbers, tables)
        if not batch.rows:
            raise InvalidBatch("the batch has no rows; expected at least one")
        step.name = "room"
        _check_space(gateway, batch.size)
        step.name = "alerts"
        await _check_alerts(gateway, batch)
        step.name = "store"
        stored = await asyncio.wrap_future(_offer(gateway, batch))
        if stored:
            gateway.alert_limits.note(peer.sensor, tables)
        if gateway.listeners:
            await anyio.to_thread.run_sync(gateway.notify, peer, tables)
    return _Taken(tables, batch.rows, stored)


# A batch that the store has, and whose acknowledgement was lost, is free.
async def _check_alerts(gateway: Gateway, batch: Batch) -> None:
    try:
        gateway.alert_limits.check(batch.stream, batch.tables)
    except DriftlineError:
        if not await anyio.to_thread.run_sync(gateway.database.has, batch):
            raise


def _offer(gateway: Gateway, batch: Batch) -> Future[int]:
    try:
        return gateway.intake.offer(batch)
    except StoreOverloaded as error:
        raise TooMany(str(error), seconds=1) from error


# The last bytes of the disk are for the store's own work, and for the alert that the disk is full.
def _check_space(gateway: Gateway, needed: int = 0) -> None:
    reason = gateway.space.refusal(needed)
    if reason:
        raise StoreFull(reason)


def _check_length(request: Request, gateway: Gateway) -> None:
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise InvalidInput("expected the header Content-Length")
    if int(length) > gateway.limits.compressed:
        raise InvalidBatch(f"the batch has {length} bytes; expected at most {gateway.limits.compressed}")


# uvicorn ends a body at its declared length. The time is over early for a batch that another sensor's displaces.
async def _read(request: Request, held: Held, reading: asyncio.Timeout, step: _Step) -> bytearray:
    body = bytearray()
    try:
        async with reading:
            async for piece in request.stream():
                held.grow(len(piece))
                body += piece
    except TimeoutError as error:
        held.grow(0)
        step.name = "body"
        raise InvalidInput(f"expected the body within {_BODY_SECONDS:.0f} s") from error
    except ClientDisconnect as error:
        step.name = "body"
        raise InvalidInput("the body ended before its length") from error
    held.keep()
    return body


# Decoding and checking take processor time, so they run in a thread; waiting for the commit does not.
def _decode(gateway: Gateway, peer: Identity, body: bytearray) -> dict[str, pa.Table]:
    limits = dataclasses.replace(gateway.limits, latest=gateway.clock.now() + CLOCK_MAX)
    tables = wire.decode(bytes(body), limits)
    try:
        wire.check_owner(tables, cluster=peer.cluster, node=peer.node)
    except ForeignRows as error:
        raise Forbidden(str(error)) from error
    return tables
