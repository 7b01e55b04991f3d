"""ASGI middleware of every request: request id, size limit of the body, metrics and access log."""

from __future__ import annotations

import logging
import time
import uuid
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from driftline.server.http import problems
from driftline.server.http.metrics import Metrics
from driftline.wire.protocol import INGEST_PATH, POLICY_PATH

__all__ = ["Around", "BoundedBody"]

MAX_BODY = 2 << 20

log = logging.getLogger("driftline.server.access")


class Around:
    """Count, time and log each request, and assign an id to it.

    The id is in ``request.state.request_id``, in the header ``X-Request-Id`` and in the log line. The time is
    that to the head of the response: a live stream would otherwise count with hours. ``prefix`` is the path
    below which the API's router is included.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, prefix: str) -> None:
        self._app = app
        self._metrics = metrics
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        begun = time.perf_counter()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_headers(request_id)]
                self._count(scope, message["status"], time.perf_counter() - begun)
            await send(message)

        await self._app(scope, receive, answer)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        method, route = scope["method"], _route(scope, self._prefix)
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.duration.labels(method, route).observe(seconds)
        level = logging.DEBUG if route in _QUIET or route in _OF_SENSORS else logging.INFO
        request_id = scope["state"]["request_id"]
        log.log(level, "%s %s %d %.1f ms %s", method, scope["path"].encode("unicode_escape").decode(), status,
                seconds * 1000, request_id)  # fmt: skip


_QUIET = {"/healthz", "/readyz", "/metrics"}
# A fleet of a thousand sensors makes thousands of these a second. Refused ones are in the log of refusals.
_OF_SENSORS = {INGEST_PATH, POLICY_PATH}
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def _headers(request_id: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-request-id", request_id.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
    ]


# Returns the template of the route, not the path: a caller without credentials could otherwise create any number
# of label values. FastAPI keeps the template of an included router without the prefix of its inclusion.
def _route(scope: Scope, prefix: str) -> str:
    template = getattr(scope.get("route"), "path", "")
    if not template:
        return "none"
    return prefix + template if scope["path"].startswith(f"{prefix}/") else str(template)


class BoundedBody:
    """Refuse request bodies of more than 2 MiB.

    Paths that start with one of ``unbounded`` are exempt: their routers limit the body themselves.
    """

    def __init__(self, app: ASGIApp, *, unbounded: tuple[str, ...] = ()) -> None:
        self._app = app
        self._unbounded = unbounded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self._unbounded):
            await self._app(scope, receive, send)
        elif _declared(scope) > MAX_BODY:
            await _refuse(scope, receive, send)
        else:
            await self._app(scope, _bounded(receive), send)


def _declared(scope: Scope) -> int:
    value = dict(scope["headers"]).get(b"content-length", b"0")
    return int(value) if value.isdigit() else 0


def _bounded(receive: Receive) -> Receive:
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MAX_BODY:  # a chunked body declares no length; the rest is not read
            return {"type": "http.disconnect"}
        return message

    return bounded


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    answer: Any = problems.response(
        Request(scope), status=413, kind="too-large", title="Too large", detail=f"expected at most {MAX_BODY} bytes"
    )
    await answer(scope, receive, send)
