"""Endpoint of ingest: a batch of a sensor is checked, stored, passed to the listeners, and then acknowledged.

The checks go from cheap to expensive, so that a refused batch costs little: the sensor's certificate, its clock, the
memory budget (before the body is read), the format of the body (in one of two threads), the owner of the rows, and at
last the store.
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
from driftline.errors import Conflict, Forbidden, ForeignRows, InvalidBatch, InvalidInput, StoreOverloaded, TooMany
from driftline.server.auth.peers import Peer
from driftline.server.fleet.enrolment import CLOCK_MAX, check_clock
from driftline.server.fleet.gateway import AppGateway, Gateway
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
    with gateway.refusals.logging(f"sensor {peer.sensor} on {peer.node}"):
        try:
            check_clock(clock, now)
        except Conflict:
            gateway.sensor_states.record(
                peer, {}, now=now, clock=clock, version=version
            )  # a refused sensor is not silent
            raise
        with gateway.room.take(peer.sensor, _declared(request, gateway)):
            body = await _read(request)
            numbers = (first, floor)
            taken = await anyio.to_thread.run_sync(_take, gateway, peer, body, numbers, limiter=gateway.decoders)
            del body  # so that its memory is free while waiting for the commit
            stored = await asyncio.wrap_future(taken.stored)
            if gateway.listeners:
                await anyio.to_thread.run_sync(gateway.notify, peer, taken.tables)
    gateway.sensor_states.record(peer, taken.tables, now=now, clock=clock, version=version)
    return Acknowledgement(first=first, last=first + taken.rows - 1, stored=stored)


@dataclasses.dataclass(frozen=True, slots=True)
class _Taken:
    tables: Mapping[str, pa.Table]
    rows: int
    stored: Future[int]


# Decoding and checking take processor time, so they run in a thread; waiting for the commit does not.
def _take(gateway: Gateway, peer: Identity, body: bytes, numbers: tuple[int, int]) -> _Taken:
    batch = Batch(peer.sensor, *numbers, _decode(gateway, peer, body))
    try:
        return _Taken(batch.tables, batch.rows, gateway.intake.offer(batch))
    except StoreOverloaded as error:
        raise TooMany(str(error), seconds=1) from error


def _declared(request: Request, gateway: Gateway) -> int:
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise InvalidInput("expected the header Content-Length")
    if int(length) > gateway.limits.compressed:
        raise InvalidBatch(f"the batch has {length} bytes; expected at most {gateway.limits.compressed}")
    return int(length)


# uvicorn ends a body at its declared length. A sender that is too slow must not hold the memory budget for ever.
async def _read(request: Request) -> bytes:
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await request.body()
    except TimeoutError as error:
        raise InvalidInput(f"expected the body within {_BODY_SECONDS:.0f} s") from error
    except ClientDisconnect as error:
        raise InvalidInput("the body ended before its length") from error


def _decode(gateway: Gateway, peer: Identity, body: bytes) -> dict[str, pa.Table]:
    limits = dataclasses.replace(gateway.limits, latest=gateway.clock.now() + CLOCK_MAX)
    tables = wire.decode(body, limits)
    try:
        wire.check_owner(tables, cluster=peer.cluster, node=peer.node)
    except ForeignRows as error:
        raise Forbidden(str(error)) from error
    return tables
