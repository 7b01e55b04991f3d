"""What the endpoints share: made once by ``create_app``, handed to each by FastAPI."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from driftline.server.alerts.arrivals import Arrivals
from driftline.server.limits import Limiter
from driftline.server.live import Hub
from driftline.server.metrics import Metrics
from driftline.server.policies.current import Current
from driftline.server.settings import Settings
from driftline.server.state import State
from driftline.server.storage import Storage

__all__ = ["Context", "Here", "context_of", "utc_now"]


def utc_now() -> datetime.datetime:
    """Give the time."""
    return datetime.datetime.now(datetime.UTC)


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
    hunting: threading.BoundedSemaphore = field(init=False)
    """Held by each hunt that runs."""

    # By this way because the record is frozen.
    def __post_init__(self) -> None:
        object.__setattr__(self, "current", Current(self.state, self.hub))
        object.__setattr__(self, "storage", Storage(self.settings.store))
        object.__setattr__(self, "hunting", threading.BoundedSemaphore(self.settings.hunts_at_once))

    @property
    def secure(self) -> bool:
        """Whether people reach the server by HTTPS, so that its cookies must."""
        return self.settings.tls_certificate is not None or self.settings.public_url.startswith("https:")


def context_of(request: Request) -> Context:
    """Give the context of the app that serves a request."""
    found: Context = request.app.state.context
    return found


Here = Annotated[Context, Depends(context_of)]
