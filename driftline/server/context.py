"""What the endpoints share: made once by ``create_app``, handed to each by FastAPI."""

from __future__ import annotations

import datetime
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "current", Current(self.state, self.hub))  # the record is frozen

    @property
    def secure(self) -> bool:
        """Whether people reach the server by HTTPS, so that its cookies must."""
        return self.settings.tls_certificate is not None or self.settings.public_url.startswith("https:")


def context_of(request: Request) -> Context:
    """Give the context of the app that serves a request."""
    found: Context = request.app.state.context
    return found


Here = Annotated[Context, Depends(context_of)]
