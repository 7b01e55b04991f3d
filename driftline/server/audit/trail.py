"""Writing the audit trail: every write of a user leaves its row in the transaction that makes the change."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Request

from driftline.server.clock import Clock
from driftline.server.http.parts import part
from driftline.server.http.requests import client_address
from driftline.server.signals import CHANGES, Hub
from driftline.server.state import Session, State
from driftline.server.state import audit as entries
from driftline.server.state.audit import Action

__all__ = ["AppTrail", "Trail"]


class Trail:
    """The audit trail of an application. Any thread may use it."""

    def __init__(self, state: State, hub: Hub, clock: Clock) -> None:
        self._state = state
        self._hub = hub
        self._clock = clock

    @contextlib.contextmanager
    def changing(
        self, request: Request, actor: str, action: Action, target: str = "", **detail: Any
    ) -> Iterator[Session]:
        """Enter a writing transaction that ends with its audit row.

        ``actor`` is a user's name, ``target`` the id or name of the changed object, ``detail`` JSON values. An
        exception in the block rolls back the change and its row. After the commit the topic ``CHANGES`` is
        signalled, which ends the caching of principals.
        """
        with self._state.writing() as session:
            yield session
            self._add(session, request, actor, action, target, detail)
        self._hub.signal(CHANGES)

    def note(self, request: Request, actor: str, action: Action, target: str = "", **detail: Any) -> None:
        """Add an audit row for an action that does not change the state: a hunt, a refused login."""
        with self._state.writing() as session:
            self._add(session, request, actor, action, target, detail)

    def _add(
        self, session: Session, request: Request, actor: str, action: Action, target: str, detail: dict[str, Any]
    ) -> None:
        entries.add_entry(
            session,
            action,
            actor=actor,
            target=target,
            detail=detail,
            address=client_address(request),
            request_id=getattr(request.state, "request_id", ""),
            at=self._clock.now(),
        )


AppTrail = Annotated[Trail, part(Trail)]
