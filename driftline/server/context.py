"""What the endpoints share: made once by ``create_app``, handed to each by FastAPI."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from driftline.server.alerts.arrivals import Arrivals
from driftline.server.fleet.status import Thresholds
from driftline.server.http.metrics import Metrics
from driftline.server.http.rate_limits import Limiter
from driftline.server.policies.current import Current
from driftline.server.policies.group_commit import GroupCommit
from driftline.server.settings import Settings
from driftline.server.signals import Hub
from driftline.server.state import State, policies
from driftline.server.storage import Storage

__all__ = ["Context", "Here", "context_of", "utc_now"]


def utc_now() -> datetime.datetime:
    """Give the time."""
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody authenticated: when by the monotonic clock, at which number of changes, until when."""

    principal: Any
    at: float
    number: int
    expires_at: datetime.datetime


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of a running server."""

    settings: Settings
    state: State
    limiter: Limiter
    metrics: Metrics = field(default_factory=Metrics)
    hub: Hub = field(default_factory=Hub)
    arrivals: Arrivals = field(default_factory=Arrivals)
    now: Callable[[], datetime.datetime] = utc_now
    current: Current = field(init=False)
    storage: Storage = field(init=False)
    acks: GroupCommit[Mapping[str, Any]] = field(init=False)
    principals: dict[str, Known] = field(default_factory=dict)
    """Who was authenticated a moment ago, by the digest of their secret."""
    thresholds: Thresholds = field(init=False)
    """From when on something about a sensor is worth an alert."""
    hunting: threading.BoundedSemaphore = field(init=False)
    """Held by each hunt that runs."""

    # By this way because the record is frozen.
    def __post_init__(self) -> None:
        object.__setattr__(self, "current", Current(self.state, self.hub))
        object.__setattr__(self, "acks", GroupCommit(self._write_acks))
        object.__setattr__(self, "thresholds", _thresholds(self.settings, self.now()))
        object.__setattr__(self, "storage", Storage(self.settings.store))
        object.__setattr__(self, "hunting", threading.BoundedSemaphore(self.settings.hunts_at_once))

    def _write_acks(self, acks: Sequence[Mapping[str, Any]]) -> None:
        with self.state.writing() as session:
            policies.acknowledge(session, acks)

    @property
    def secure(self) -> bool:
        """Whether people reach the server by HTTPS, so that its cookies must."""
        return self.settings.tls_certificate is not None or self.settings.public_url.startswith("https:")


def _thresholds(settings: Settings, now: datetime.datetime) -> Thresholds:
    return Thresholds(
        silent=datetime.timedelta(seconds=settings.sensor_silent_seconds),
        clock=datetime.timedelta(seconds=settings.sensor_clock_seconds),
        losses=settings.sensor_losses,
        heard_from=now,
    )


def context_of(request: Request) -> Context:
    """Give the context of the app that serves a request."""
    found: Context = request.app.state.context
    return found


# Not a plain function, since FastAPI would call that in a thread.
async def _here(request: Request) -> Context:
    return context_of(request)


Here = Annotated[Context, Depends(_here)]
