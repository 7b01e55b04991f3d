"""The application: a table of routers, a table of what runs beside them."""

from __future__ import annotations

import contextlib
import datetime
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

import driftline
from driftline.server import health
from driftline.server.alerts import router as alerts
from driftline.server.alerts import stream as alert_stream
from driftline.server.alerts import suppressions
from driftline.server.alerts.ingest import tailing
from driftline.server.audit import trail
from driftline.server.auth import oidc, sessions
from driftline.server.auth import users as user_admin
from driftline.server.auth.secrets import digest, new_secret
from driftline.server.context import Context, utc_now
from driftline.server.fleet import assembly
from driftline.server.http import problems
from driftline.server.http.middleware import Around, BoundedBody
from driftline.server.http.rate_limits import Limiter
from driftline.server.hunts import router as hunts
from driftline.server.hunts import saved as saved_hunts
from driftline.server.hunts import stream as event_stream
from driftline.server.policies import router as policies
from driftline.server.settings import Settings
from driftline.server.state import State, users

__all__ = ["API", "create_app"]

API = "/api/v1"
ABOUT = """Drift events, alerts, policies and hunts of a fleet.

Errors are `application/problem+json` (RFC 9457). Lists are pages: `next` of one is the `cursor` of
the following. Times are ISO 8601 in UTC. What concerns a cluster that is not granted to who asks
is answered as if it were not there.
"""


@dataclass(frozen=True, slots=True)
class Mounted:
    """A router, where it hangs, and whether it bounds its bodies itself."""

    router: APIRouter
    prefix: str = API
    own_body: bool = False


ROUTERS: tuple[Mounted, ...] = (
    Mounted(health.router, prefix=""),
    Mounted(sessions.router),
    Mounted(oidc.router),
    Mounted(user_admin.router),
    Mounted(trail.router),
    Mounted(alert_stream.router),  # before the alerts: its path is not the id of one
    Mounted(alerts.router),
    Mounted(suppressions.router),
    Mounted(policies.router),
    Mounted(hunts.router),
    Mounted(saved_hunts.router),
    Mounted(event_stream.router),
)

BESIDE: tuple[Callable[[Context], AbstractContextManager[None]], ...] = (tailing,)
"""What runs beside the requests: entered at the start in this order, left at the stop."""


def create_app(settings: Settings, *, now: Callable[[], datetime.datetime] = utc_now) -> FastAPI:
    """Make the server's application; raises ``StateError`` if its state cannot be opened."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    context = Context(settings=settings, state=State(settings.database_url), limiter=_limiter(settings), now=now)
    app = FastAPI(
        title="driftline",
        description=ABOUT,
        version=driftline.__version__,
        lifespan=_lifespan,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # its page would load scripts of another site
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        responses=problems.RESPONSES,
    )
    app.state.context = context
    problems.install(app)
    sensors = [Mounted(router, own_body=own) for router, own in assembly.ROUTERS] if settings.sensor_names else []
    for mounted in (*ROUTERS, *sensors):
        app.include_router(mounted.router, prefix=mounted.prefix)
    own = tuple(mounted.prefix + mounted.router.prefix for mounted in sensors if mounted.own_body)
    app.add_middleware(BoundedBody, unbounded=own)
    app.add_middleware(Around, metrics=context.metrics, prefix=API)
    return app


def _limiter(settings: Settings) -> Limiter:
    return Limiter(
        {
            "requests": settings.requests_per_minute,
            "logins": settings.logins_per_minute,
            "hunts": settings.hunts_per_minute,
        }
    )


def _operation_id(route: APIRoute) -> str:
    return route.name


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # The tailer asks the store, which must be served by then.
    with assembly.receiving(app, app.state.context), _running(app.state.context):
        yield


@contextlib.contextmanager
def _running(context: Context) -> Iterator[None]:
    context.state.migrate()
    _offer_setup(context)
    with contextlib.ExitStack() as stack:
        stack.callback(context.state.close)
        for beside in BESIDE:
            stack.enter_context(beside(context))
        stack.callback(context.hub.close)
        yield


# Printed, not logged: who starts the server reads its output, while logs are gathered and kept.
def _offer_setup(context: Context) -> None:
    with context.state.writing() as session:
        if users.count_users(session):
            return
        token = new_secret()
        users.set_setup(session, digest(token))
    sys.stderr.write(f"no users yet; make the first admin with `driftline login --setup`; setup token: {token}\n")
    sys.stderr.flush()
