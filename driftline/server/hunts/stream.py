"""The live stream of hunting-table rows, as server-sent events: for watching, not for collecting.

At most 2,000 rows are sent at a time. When more arrived, the newest are sent after an event ``gap``.
"""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Hashable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from driftline.errors import StoreBusy, StoreError
from driftline.server.auth import Principal, needs
from driftline.server.auth.stream_reader import Reader
from driftline.server.clock import Clock
from driftline.server.http.choices import any_case
from driftline.server.http.parts import AppClock, AppHub, AppMetrics, AppStorage
from driftline.server.http.sse import watch
from driftline.server.signals import EVENTS
from driftline.server.storage import Storage
from driftline.store.query import row_query

__all__ = ["router"]

router = APIRouter(tags=["hunting"])

CLUSTER = "ClusterName"
_PAGE = 2000
_POLL_SECONDS = 1.0
_OVERLAP = datetime.timedelta(seconds=30)  # rows may arrive later than newer ones
Table = Literal["CloudProcessEvents", "SensorHealth"]
Text = Annotated[str, Query(max_length=512)]


@router.get("/events/stream", dependencies=[needs("events:read")], response_class=EventSourceResponse)
async def stream_events(
    storage: AppStorage,
    hub: AppHub,
    metrics: AppMetrics,
    clock: AppClock,
    reader: Reader,
    table: Annotated[Table, Query(), any_case(Table)] = "CloudProcessEvents",
    cluster: Text = "",
    node: Text = "",
) -> AsyncIterator[ServerSentEvent]:
    """Stream the rows of a table as they arrive in the store.

    Events are `row`, `gap` and `problem`; the stream starts with the rows that arrive from now on. Only rows of granted
    clusters are sent.
    """
    equal = {CLUSTER: cluster, "NodeName": node}
    where = [row_query.Filter(column, "=", value) for column, value in equal.items() if value]
    rows = _Rows(storage, clock, table, where)
    async for event in watch(
        hub,
        metrics,
        topic=EVENTS,
        still_allowed=lambda: reader.still_allowed("events:read"),
        look=lambda: rows.read(reader.principal),
        poll=_POLL_SECONDS,
    ):
        yield event


# Reads the rows since the last look, with an overlap, and remembers the rows it has seen: the store gives them no
# number by which a reader could go on.
class _Rows:
    def __init__(self, storage: Storage, clock: Clock, table: str, where: list[row_query.Filter]) -> None:
        self._storage = storage
        self._clock = clock
        self._table = table
        self._where = where
        self._since = clock.now()
        self._seen: frozenset[Hashable] = frozenset()

    def read(self, principal: Principal) -> list[ServerSentEvent]:
        now = self._clock.now()
        try:
            rows = self._rows(principal)
        except StoreBusy:  # the process that owns the store is starting
            return []
        except StoreError as error:
            return [ServerSentEvent(event="problem", data={"detail": str(error)})]
        keys = {_key(row): row for row in reversed(rows)}
        fresh = [row for key, row in keys.items() if key not in self._seen]
        self._seen, self._since = frozenset(keys), max(self._since, now - _OVERLAP)
        told = [ServerSentEvent(event="row", data=row) for row in fresh]
        gap = [ServerSentEvent(event="gap", data={"detail": f"more than {_PAGE} rows arrived; the newest follow"})]
        return gap + told if fresh and len(rows) == _PAGE else told

    def _rows(self, principal: Principal) -> list[dict[str, Any]]:
        where = [row_query.Filter("Timestamp", ">=", self._since.isoformat()), *self._where]
        if principal.visible is not None:
            where.append(row_query.Filter(CLUSTER, "in", list(principal.visible)))
        rows = self._storage.select(row_query.RowQuery(table=self._table, where=where, limit=_PAGE))
        return list(rows.to_pylist())


def _key(row: dict[str, Any]) -> Hashable:
    return tuple(row.values())
