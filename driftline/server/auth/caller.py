"""Authentication of users: a request's bearer token, or a browser's session cookie.

A browser sends its cookies with requests that any page makes. A write that is authenticated by the cookie alone
therefore also needs the header ``X-Driftline``: a page of another origin can send a custom header only after a CORS
preflight request (Fetch standard, "CORS-preflight fetch"), which this server never answers.
"""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass
from typing import Annotated, Any

import anyio.to_thread
from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from driftline.errors import Forbidden, Unauthenticated
from driftline.server.auth.roles import Permission, Principal
from driftline.server.auth.secrets import digest
from driftline.server.clock import Clock
from driftline.server.http.parts import AppLimiter, part
from driftline.server.http.requests import bearer_token
from driftline.server.signals import CHANGES, Hub
from driftline.server.state import State, users
from driftline.server.state.models import Token, User

__all__ = ["COOKIE", "CSRF_HEADER", "AppAuthenticator", "Authenticator", "Caller", "needs", "secret_of"]

COOKIE = "driftline_session"
CSRF_HEADER = "X-Driftline"
_CACHE_SECONDS = 3.0
_CACHE_SIZE = 10_000
_SAFE = ("GET", "HEAD", "OPTIONS")

_bearer = HTTPBearer(auto_error=False, description="A personal token or a session's token")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="Session; writes also need the header X-Driftline")


@dataclass(frozen=True, slots=True)
class _Cached:
    principal: Principal
    at: float
    """Monotonic time of the look-up, in seconds."""
    changes: int
    """Number of audited writes before the look-up."""
    expires_at: datetime.datetime


class Authenticator:
    """Finds the user a secret belongs to. Any thread may use it."""

    def __init__(self, state: State, hub: Hub, clock: Clock, *, oidc: datetime.timedelta) -> None:
        """``oidc`` is the time for which tokens of a user of OIDC are accepted after the user's latest login."""
        self._state = state
        self._hub = hub
        self._clock = clock
        self._oidc = oidc
        self._cache: dict[str, _Cached] = {}

    def authenticate(self, secret: str) -> Principal:
        """Look up a secret in the state; raises ``Unauthenticated`` if it is unknown, expired or of a disabled user.

        The tokens of a user of OIDC also end when the provider has not confirmed the user for too long.
        Notes at most once a minute when the token was last used.
        """
        now, changes = self._clock.now(), self._hub.number(CHANGES)
        with self._state.reading() as session:
            found = users.find_secret(session, digest(secret))
        if found is None:
            raise Unauthenticated("the token is unknown, or was revoked")
        token, user = found
        ends = self._end_of(token, user)
        _check(token, user, ends, now)
        if users.touch_is_due(token, now):
            with self._state.writing() as session:
                users.touch_token(session, token, now)
        principal = _principal(token, user, ends)
        if len(self._cache) >= _CACHE_SIZE:
            self._cache.clear()
        self._cache[token.digest] = _Cached(principal, time.monotonic(), changes, ends)
        return principal

    # A provider does not report that an account was closed; it refuses the next login.
    def _end_of(self, token: Token, user: User) -> datetime.datetime:
        return min(token.expires_at, user.confirmed_at + self._oidc) if user.confirmed_at else token.expires_at

    # A fleet that wakes at once is answered from memory. Every audited write of this process ends the caching; a
    # write of another replica takes effect here after ``_CACHE_SECONDS``.
    def cached(self, secret: str) -> Principal | None:
        """Return the principal of a secret looked up less than 3 seconds ago; ``None`` if it must be looked up."""
        known = self._cache.get(digest(secret))
        if known is None or known.changes != self._hub.number(CHANGES) or known.expires_at <= self._clock.now():
            return None
        return known.principal if time.monotonic() - known.at < _CACHE_SECONDS else None


AppAuthenticator = Annotated[Authenticator, part(Authenticator)]


async def _caller(
    request: Request,
    authenticator: AppAuthenticator,
    limiter: AppLimiter,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    cookie: Annotated[str | None, Depends(_cookie)],
) -> Principal:
    secret = bearer.credentials if bearer else cookie
    if not secret:
        raise Unauthenticated("expected a token in the header Authorization: Bearer, or a session")
    if not bearer and request.method not in _SAFE and CSRF_HEADER not in request.headers:
        raise Forbidden(f"a write by a session's cookie needs the header {CSRF_HEADER}")
    principal = authenticator.cached(secret)
    if principal is None:
        principal = await anyio.to_thread.run_sync(authenticator.authenticate, secret)
    limiter.count("requests", principal.token_id)
    return principal


Caller = Annotated[Principal, Depends(_caller)]
"""The authenticated user of a request."""


def needs(permission: Permission, *, everywhere: bool = False) -> Any:
    """Return the dependency that refuses callers without a permission; with ``everywhere``, without all clusters."""

    async def check(caller: Caller) -> None:
        caller.check(permission)
        if everywhere:
            caller.check_everywhere()

    # As a scope, so that the OpenAPI document has the permission of each operation.
    return Security(check, scopes=[permission])


def secret_of(request: Request) -> str:
    """Return the secret a request carries, the bearer token before the cookie; "" if it carries none."""
    return bearer_token(request.headers.get("Authorization", "")) or request.cookies.get(COOKIE, "")


def _check(token: Token, user: User, ends: datetime.datetime, now: datetime.datetime) -> None:
    if token.expires_at <= now:
        raise Unauthenticated(f"the token expired at {token.expires_at:%Y-%m-%d %H:%M} UTC")
    if ends <= now:
        raise Unauthenticated("the OpenID provider has to confirm the user again; log in, and the token is accepted")
    if user.disabled:
        raise Unauthenticated("the user is disabled")


def _principal(token: Token, user: User, ends: datetime.datetime) -> Principal:
    return Principal(
        user_id=user.id,
        name=user.name,
        role=user.role,  # type: ignore[arg-type] # only roles are stored
        clusters=tuple(user.clusters),
        token_id=token.id,
        scopes=tuple(token.scopes),
        personal=token.kind == "personal",
        expires_at=ends,
    )
