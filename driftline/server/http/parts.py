"""Dependencies that give endpoints the parts of the application.

``app.py`` builds the parts and provides each under its class. An endpoint names in its signature the parts it uses,
as ``state: AppState``. A domain declares the aliases of its own parts next to their classes.

Rejected: one record with all parts, which every domain would import and which would import every domain; router
factories, whose endpoints would be nested functions in functions of a hundred lines.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends, FastAPI, Request

from driftline.server.clock import Clock
from driftline.server.disk import Space
from driftline.server.http.metrics import Metrics
from driftline.server.http.rate_limits import Limiter
from driftline.server.http.refusal_log import RefusalLog
from driftline.server.settings import Settings
from driftline.server.signals import Hub
from driftline.server.state import State
from driftline.server.storage import Storage

__all__ = [
    "AppClock",
    "AppHub",
    "AppLimiter",
    "AppMetrics",
    "AppRefusals",
    "AppSettings",
    "AppSpace",
    "AppState",
    "AppStorage",
    "find",
    "part",
    "provide",
]

Part = TypeVar("Part")


def provide(app: FastAPI, *parts: object) -> None:
    """Make parts available to an app's endpoints, each under its class; a later part replaces an earlier one."""
    provided: dict[type, object] = getattr(app.state, "parts", {})
    app.state.parts = provided | {type(each): each for each in parts}


def find(app: FastAPI, kind: type[Part]) -> Part:
    """Return the part of a class; raises ``KeyError`` if none was provided."""
    return cast("Part", app.state.parts[kind])


def part(kind: type[Part]) -> Any:
    """Return the FastAPI dependency on the part of a class."""

    # A coroutine function, because FastAPI would call a plain function in a thread of its pool.
    async def provided(request: Request) -> Part:
        return find(request.app, kind)

    return Depends(provided)


AppClock = Annotated[Clock, part(Clock)]
AppHub = Annotated[Hub, part(Hub)]
AppLimiter = Annotated[Limiter, part(Limiter)]
AppMetrics = Annotated[Metrics, part(Metrics)]
AppRefusals = Annotated[RefusalLog, part(RefusalLog)]
AppSettings = Annotated[Settings, part(Settings)]
AppSpace = Annotated[Space, part(Space)]
AppState = Annotated[State, part(State)]
AppStorage = Annotated[Storage, part(Storage)]
