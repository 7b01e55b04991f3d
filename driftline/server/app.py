"""The application: its parts, its routers, and the work that runs beside the requests.

Only this module knows all parts. It builds each with the parts it needs, provides them to the endpoints
(``http/parts``), and opens and closes those that hold resources in the order of their dependencies.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

import driftline
from driftline.server import health
from driftline.server.alerts import router as alerts
from driftline.server.alerts import stream as alert_stream
from driftline.server.alerts import suppressions
from driftline.server.alerts.arrivals import Arrivals
from driftline.server.alerts.ingest import Tailer, tailing
from driftline.server.audit import router as audit
from driftline.server.audit.trail import Trail
from driftline.server.auth import needs, oidc, sessions
from driftline.server.auth import users as user_admin
from driftline.server.auth.caller import Authenticator
from driftline.server.auth.peers import Peers
from driftline.server.auth.secrets import digest, new_secret
from driftline.server.clock import Clock, utc_now
from driftline.server.disk import Space
from driftline.server.fleet import assembly, enrolment, ingest
from driftline.server.fleet import router as fleet
from driftline.server.http import problems
from driftline.server.http.metrics import Metrics
from driftline.server.http.middleware import Around, BoundedBody
from driftline.server.http.parameters import KnownParameters
from driftline.server.http.parts import find, provide
from driftline.server.http.rate_limits import Limiter
from driftline.server.http.refusal_log import RefusalLog
from driftline.server.hunts import lists as hunt_lists
from driftline.server.hunts import router as hunts
from driftline.server.hunts import saved as saved_hunts
from driftline.server.hunts import stream as event_stream
from driftline.server.hunts.execution import Hunts
from driftline.server.policies import delivery
from driftline.server.policies import router as policies
from driftline.server.policies.cache import PolicyCache
from driftline.server.policies.group_commit import GroupCommit
from driftline.server.settings import Settings
from driftline.server.signals import Hub
from driftline.server.state import State, users
from driftline.server.state import policies as policy_rows
from driftline.server.storage import Storage

__all__ = ["API", "create_app", "start_error"]

API = "/api/v1"
ABOUT = """Drift events, alerts, policies and hunts of a fleet.

Errors are `application/problem+json` (RFC 9457). Lists are paged: `next` of a page is the `cursor` of the following
page. Times are ISO 8601 in UTC. Objects of clusters that are not granted to the caller are not found.
"""


@dataclass(frozen=True, slots=True)
class Mounted:
    """A router, the prefix of its paths, and how its requests are checked."""

    router: APIRouter
    prefix: str = API
    own_body: bool = False
    any_parameters: bool = False
    """Whether unknown query parameters are passed over: providers and newer sensors send some."""


ROUTERS: tuple[Mounted, ...] = (
    Mounted(health.router, prefix="", any_parameters=True),
    Mounted(sessions.router),
    Mounted(oidc.router, any_parameters=True),
    Mounted(user_admin.router),
    Mounted(audit.router([needs("audit:read", everywhere=True)])),
    Mounted(alert_stream.router),  # before the alerts, because /alerts/stream would match /alerts/{alert_id}
    Mounted(alerts.router),
    Mounted(suppressions.router),
    Mounted(policies.router),
    Mounted(hunts.router),
    Mounted(saved_hunts.router),
    Mounted(hunt_lists.router),
    Mounted(event_stream.router),
)

SENSOR_ROUTERS: tuple[Mounted, ...] = (
    Mounted(enrolment.router, any_parameters=True),
    Mounted(ingest.router, own_body=True, any_parameters=True),
    Mounted(delivery.router, any_parameters=True),
    Mounted(fleet.router),
)
"""Routers of servers that take in sensors, where the setting ``sensor_names`` is given."""


def create_app(settings: Settings, *, now: Callable[[], datetime.datetime] = utc_now) -> FastAPI:
    """Create the server's application from its settings; ``now`` returns the time in UTC.

    The state, the event store and the threads are opened by the application's lifespan, not here. Raises
    ``StateError`` for an unusable database URL.
    """
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    app = FastAPI(
        title="driftline",
        description=ABOUT,
        version=driftline.__version__,
        lifespan=_lifespan,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # the page of Swagger UI would load scripts of another site
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        responses=problems.RESPONSES,
    )
    provide(app, *_parts(settings, Clock(now)))
    problems.install(app)
    sensors = SENSOR_ROUTERS if settings.sensor_names else ()
    for mounted in (*ROUTERS, *sensors):
        checks = [] if mounted.any_parameters else [KnownParameters]
        app.include_router(mounted.router, prefix=mounted.prefix, dependencies=checks)
    own = tuple(mounted.prefix + mounted.router.prefix for mounted in sensors if mounted.own_body)
    app.add_middleware(BoundedBody, unbounded=own)
    app.add_middleware(Around, metrics=find(app, Metrics), prefix=API)
    return app


# Parts that endpoints, the gateway and the tailer share. None of them opens a file or starts a thread yet.
def _parts(settings: Settings, clock: Clock) -> Sequence[object]:
    state, hub, metrics, storage = State(settings.database_url), Hub(), Metrics(), Storage(settings.store)

    def acknowledge(acks: Sequence[Mapping[str, Any]]) -> None:
        with state.writing() as session:
            policy_rows.acknowledge(session, acks)

    return (
        settings,
        clock,
        state,
        hub,
        metrics,
        storage,
        _limiter(settings),
        RefusalLog(clock.now),
        Authenticator(state, hub, clock, oidc=datetime.timedelta(hours=settings.oidc_hours)),
        Peers(state, clock),
        Trail(state, hub, clock),
        Arrivals(),
        _space(settings, metrics),
        PolicyCache(state, hub),
        GroupCommit(acknowledge),
        Hunts(storage, metrics, at_once=settings.hunts_at_once),
    )


def _space(settings: Settings, metrics: Metrics) -> Space:
    directories = (settings.data, settings.store)
    space = Space(directories, low=settings.disk_low << 20)
    for directory in directories:
        metrics.free_bytes.labels(str(directory)).set_function(functools.partial(space.free, directory))
    return space


def _limiter(settings: Settings) -> Limiter:
    return Limiter(
        {
            "requests": settings.requests_per_minute,
            "logins": settings.logins_per_minute,
            "oidc": settings.logins_per_minute,
            "hunts": settings.hunts_per_minute,
        }
    )


# The endpoint's name, which generated clients use as the name of their function.
def _operation_id(route: APIRoute) -> str:
    return route.name


# The order matters: the gateway reads the sensors from the state, and the tailer reads the event store, which the
# gateway opens. The setup token is printed when nothing can prevent the start any more.
@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            state = stack.enter_context(contextlib.closing(find(app, State)))
            stack.enter_context(contextlib.closing(find(app, Storage)))
            state.migrate(find(app, Settings).data)
            stack.enter_context(_receiving(app))
            _offer_setup(state)
            stack.enter_context(tailing(_tailer(app)))
        except Exception as error:
            app.state.start_error = error  # the caller of uvicorn cannot see it
            raise
        stack.enter_context(contextlib.closing(find(app, Hub)))
        yield


# Without sensor_names the server neither owns the event store nor includes the sensors' routers: there is no gateway.
@contextlib.contextmanager
def _receiving(app: FastAPI) -> Iterator[None]:
    settings, clock = find(app, Settings), find(app, Clock)
    if not settings.sensor_names:
        yield
        return
    receiving = assembly.receiving(
        settings,
        find(app, State),
        find(app, Storage),
        find(app, Peers),
        hub=find(app, Hub),
        clock=clock,
        refusals=find(app, RefusalLog),
        thresholds=assembly.thresholds_of(settings, clock.now()),
        wanted_policy=find(app, PolicyCache).of,
        note_alerts=find(app, Arrivals).note,
        metrics=find(app, Metrics),
        space=find(app, Space),
    )
    with receiving as gateway:
        provide(app, gateway)
        yield


def start_error(app: FastAPI) -> Exception | None:
    """Return the error with which the start of an app ended; ``None`` if it did not."""
    found: Exception | None = getattr(app.state, "start_error", None)
    return found


def _tailer(app: FastAPI) -> Tailer:
    return Tailer(
        find(app, State),
        find(app, Storage),
        find(app, Arrivals),
        late=datetime.timedelta(hours=find(app, Settings).late_hours),
        hub=find(app, Hub),
        metrics=find(app, Metrics),
        clock=find(app, Clock),
    )


# Printed, not logged: the operator who starts the server reads its output, while logs are collected and kept.
def _offer_setup(state: State) -> None:
    with state.writing() as session:
        if users.count_users(session):
            return
        token = new_secret()
        users.set_setup(session, digest(token))
    sys.stderr.write(f"no users yet; create the first admin with `driftline login --setup`; setup token: {token}\n")
    sys.stderr.flush()
