"""Server-sent events (WHATWG HTML, section 9.2): the loop that every live stream shares.

Before each heartbeat a stream asks whether its reader is still allowed, so that revoking a token or withdrawing a
cluster ends the stream within seconds. A stream also ends when the server stops.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

import anyio.to_thread
from fastapi import Header
from fastapi.sse import ServerSentEvent

from driftline.errors import TooMany
from driftline.server.http.metrics import Metrics
from driftline.server.signals import Hub

__all__ = ["HEARTBEAT", "LastEventId", "check_open_streams", "watch"]

HEARTBEAT = 10.0
"""Seconds between two comments sent on a stream that has no events."""
_STREAMS = 200

LastEventId = Annotated[
    str, Header(alias="Last-Event-ID", description="Go on after this event; browsers send it by themselves")
]


def check_open_streams(hub: Hub) -> None:
    """Raise ``TooMany`` when 200 streams are open; each holds a connection and wakes at each signal."""
    if hub.streams >= _STREAMS:
        raise TooMany(f"{_STREAMS} streams are open already", seconds=HEARTBEAT)


async def watch(
    hub: Hub,
    metrics: Metrics,
    *,
    topic: str,
    still_allowed: Callable[[], Awaitable[bool]],
    look: Callable[[], list[ServerSentEvent]],
    poll: float = HEARTBEAT,
) -> AsyncIterator[ServerSentEvent]:
    """Yield the events that ``look`` returns: now, after each signal of the topic, and every ``poll`` seconds.

    ``look`` runs in a thread and is called again at once as long as it returns events. The stream ends when
    ``still_allowed`` returns false; it is called before each heartbeat.
    """
    with hub.streaming(), metrics.streams.labels(topic).track_inprogress():
        checked = time.monotonic()
        yield ServerSentEvent(comment="open")
        while not hub.closed:
            if time.monotonic() - checked >= HEARTBEAT:
                if not await still_allowed():
                    return
                checked = time.monotonic()
                yield ServerSentEvent(comment="still here")
            seen = hub.number(topic)  # before looking, so that a change during the look is not missed
            events = await anyio.to_thread.run_sync(look)
            for event in events:
                yield event
            if not events:
                await hub.wait_change(topic, seen, seconds=poll)
