"""Endpoints of operations: liveness, readiness, and metrics for Prometheus.

They respond without credentials, since orchestrators and Prometheus send none, and name neither users nor clusters.
Restrict them in the network if the metrics themselves must not be public.
"""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

import driftline
from driftline.errors import StateError, StoreError
from driftline.server.http.parts import AppHub, AppMetrics, AppSpace, AppState, AppStorage
from driftline.server.state import State
from driftline.server.storage import Storage

__all__ = ["router"]

router = APIRouter(tags=["operations"])

_BATCH_BYTES = 1 << 20
"""Room for a batch of rows of usual size: without it the server is not ready, although it may take smaller ones."""


class Health(BaseModel):
    """State of the server."""

    status: str = Field(examples=["ok"])
    version: str = Field(default=driftline.__version__, examples=["0.1.0"])
    checks: dict[str, str] = Field(
        default={}, description="State of each part that the server needs: `ok`, or the error"
    )


class MetricsText(Response):
    """A response in the text exposition format of Prometheus, version 0.0.4."""

    media_type = "text/plain; version=0.0.4; charset=utf-8"


# A login by OIDC leads a browser here.
@router.get("/", include_in_schema=False, response_class=PlainTextResponse)
async def front() -> str:
    """Return what this server is."""
    return (
        f"driftline server {driftline.__version__}\n\nThe API is below /api/v1, described by /api/v1/openapi.json.\n"
        "A login in this browser counts for it; on the command line use `driftline login --oidc`.\n"
    )


@router.get("/healthz")
async def healthz() -> Health:
    """Return that the process is alive; restart it if there is no response."""
    return Health(status="ok")


@router.get(
    "/readyz",
    responses={
        503: {
            "model": Health,
            "description": "Not ready: the server is starting, stopping, its databases fail, or its disk is full",
        }
    },
)
def readyz(state: AppState, storage: AppStorage, space: AppSpace, hub: AppHub, response: Response) -> Health:
    """Return whether the server can serve requests and take in rows; otherwise send it none.

    A disk that is low, but not yet full, is told and does not count.
    """
    refusal = space.refusal(_BATCH_BYTES)
    checks = {
        "state": _check_state(state),
        "store": _check_store(storage),
        "disk": refusal or "ok",
        "stopping": "yes" if hub.closed else "ok",
    }
    ready = set(checks.values()) == {"ok"}
    response.status_code = 200 if ready else 503
    if space.warning() and not refusal:
        checks["disk"] = f"low: {space.warning()}"
    return Health(status="ok" if ready else "not ready", checks=checks)


def _check_store(storage: Storage) -> str:
    try:
        storage.check()
    except StoreError as error:
        return str(error)
    return "ok"


def _check_state(state: State) -> str:
    try:
        state.check()
    except StateError as error:
        return str(error)
    return "ok"


@router.get("/metrics", response_class=MetricsText)
def metrics(metrics: AppMetrics) -> MetricsText:
    """Return the metrics of the server for Prometheus."""
    return MetricsText(metrics.text())
