"""Server-sent events: what every live stream shares.

A stream looks again at who reads it before each heartbeat, so that a token revoked or a cluster
withdrawn ends it within seconds; and it ends when the server stops.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated

import anyio.to_thread
from fastapi import Depends, Header, Request
from fastapi.sse import ServerSentEvent

from driftline.errors import Refused, TooMany
from driftline.server.auth import Caller, Permission, Principal
from driftline.server.auth.caller import COOKIE, authenticate
from driftline.server.context import Context, Here

__all__ = ["HEARTBEAT", "LastEventId", "Reader", "Reading", "watch"]

HEARTBEAT = 10.0
"""Seconds."""
_MOST = 200

LastEventId = Annotated[
    str, Header(alias="Last-Event-ID", description="Go on after this event; browsers send it by themselves")
]


class Reader:
    """Who reads a stream, asked again as long as it lasts."""

    def __init__(self, request: Request, context: Context, caller: Principal) -> None:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        self._secret = bearer if scheme.lower() == "bearer" else request.cookies.get(COOKIE, "")
        self._context = context
        self.principal = caller

    async def still_may(self, permission: Permission) -> bool:
        """Tell whether they still hold a permission, and learn their clusters anew."""
        try:
            self.principal = await anyio.to_thread.run_sync(authenticate, self._context, self._secret)
            self.principal.check(permission)
        except Refused:
            return False
        return True


async def reading(request: Request, here: Here, caller: Caller) -> Reader:
    """Give the reader of a stream, as a dependency; raises ``TooMany`` when there are many streams."""
    if here.hub.streams >= _MOST:
        raise TooMany(f"{_MOST} streams are open already", seconds=HEARTBEAT)
    return Reader(request, here, caller)


Reading = Annotated[Reader, Depends(reading)]


async def watch(
    context: Context,
    reader: Reader,
    *,
    topic: str,
    permission: Permission,
    look: Callable[[Principal], list[ServerSentEvent]],
    poll: float = HEARTBEAT,
) -> AsyncIterator[ServerSentEvent]:
    """Yield what ``look`` finds, now and after each signal of the topic, or ``poll`` seconds."""
    with context.hub.streaming(), context.metrics.streams.labels(topic).track_inprogress():
        checked = time.monotonic()
        yield ServerSentEvent(comment="open")
        while not context.hub.closed:
            if time.monotonic() - checked >= HEARTBEAT:
                if not await reader.still_may(permission):
                    return
                checked = time.monotonic()
                yield ServerSentEvent(comment="still here")
            seen = context.hub.number(topic)
            events = await anyio.to_thread.run_sync(look, reader.principal)
            for event in events:
                yield event
            if not events:
                await context.hub.wait_change(topic, seen, seconds=poll)
