"""Whether the server lives, whether it can serve, and its numbers.

These answer without credentials, as orchestrators and Prometheus ask; they name no user and no
cluster. Keep them from strangers by the network if the numbers themselves tell too much.
"""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

import driftline
from driftline.errors import StateError
from driftline.server.http.parts import AppHub, AppMetrics, AppState
from driftline.server.state import State

__all__ = ["router"]

router = APIRouter(tags=["operations"])


class Health(BaseModel):
    """What works."""

    status: str = Field(examples=["ok"])
    version: str = Field(default=driftline.__version__, examples=["0.1.0"])
    checks: dict[str, str] = Field(
        default={}, description="Each part that is needed, with `ok` or what is wrong with it"
    )


class MetricsText(Response):
    """Prometheus' text format."""

    media_type = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/healthz")
async def healthz() -> Health:
    """Say that the process lives; restart it if this does not answer."""
    return Health(status="ok")


@router.get("/readyz", responses={503: {"model": Health, "description": "Send no requests here yet, or any more"}})
def readyz(state: AppState, hub: AppHub, response: Response) -> Health:
    """Say whether requests can be served; send none here if not."""
    checks = {"state": _check_state(state), "stopping": "yes" if hub.closed else "ok"}
    ready = set(checks.values()) == {"ok"}
    response.status_code = 200 if ready else 503
    return Health(status="ok" if ready else "not ready", checks=checks)


def _check_state(state: State) -> str:
    try:
        state.check()
    except StateError as error:
        return str(error)
    return "ok"


@router.get("/metrics", response_class=MetricsText)
def metrics(metrics: AppMetrics) -> MetricsText:
    """Give the server's numbers for Prometheus."""
    return MetricsText(metrics.text())
