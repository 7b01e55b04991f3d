"""The live stream of alerts, as server-sent events.

The id of an event is the change number of its alert. A client that reconnects with the last id therefore misses no
alert; an alert that changed several times meanwhile is sent once, in its present state.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from driftline.errors import InvalidInput
from driftline.server.alerts.schemas import AlertInfo
from driftline.server.auth import Principal, needs
from driftline.server.auth.stream_reader import Reader
from driftline.server.http.parts import AppHub, AppMetrics, AppState
from driftline.server.http.sse import LastEventId, watch
from driftline.server.signals import ALERTS
from driftline.server.state import State, alerts

__all__ = ["router"]

router = APIRouter(tags=["alerts"])

_PAGE = 200


def _start(
    state: AppState,
    last: LastEventId = "",
    after: Annotated[
        int | None, Query(ge=0, le=2**62, description="Send only alerts with a higher change number")
    ] = None,
) -> int:
    if last and not (last.isascii() and last.isdigit() and len(last) < 19):
        raise InvalidInput("Last-Event-ID: expected the id of an event of this stream")
    if last or after is not None:
        return int(last) if last else after or 0
    with state.reading() as session:
        return alerts.last_change(session)


@router.get("/alerts/stream", dependencies=[needs("alerts:read")], response_class=EventSourceResponse)
async def stream_alerts(
    state: AppState, hub: AppHub, metrics: AppMetrics, reader: Reader, start: Annotated[int, Depends(_start)]
) -> AsyncIterator[ServerSentEvent]:
    """Stream alerts: each event is an alert that is new, was seen again, or was changed.

    The stream starts after `Last-Event-ID`, or `after`, otherwise with the next change. Suppressed alerts are left
    out. A comment is sent every 10 seconds, before which the token is checked again.
    """
    changes = _Changes(state, start)
    async for event in watch(
        hub,
        metrics,
        topic=ALERTS,
        still_allowed=lambda: reader.still_allowed("alerts:read"),
        look=lambda: changes.read(reader.principal),
    ):
        yield event


# The position in the stream: the change number of the last alert that was sent.
class _Changes:
    def __init__(self, state: State, change: int) -> None:
        self._state = state
        self._change = change

    def read(self, principal: Principal) -> list[ServerSentEvent]:
        with self._state.reading() as session:
            rows = alerts.changed_after(session, self._change, clusters=principal.visible, limit=_PAGE)
        if rows:
            self._change = rows[-1].change
        return [ServerSentEvent(event="alert", id=str(row.change), data=AlertInfo.model_validate(row)) for row in rows]
