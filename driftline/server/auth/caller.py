"""From a request to who asks: a bearer token, or a browser's session cookie.

A cookie is sent by the browser whatever page made the request, so with a cookie alone a write also
needs the header ``X-Driftline``: a page of another origin cannot send it, since that takes a CORS
preflight, which this server never answers.
"""

from __future__ import annotations

import datetime
import time
from typing import Annotated, Any

import anyio.to_thread
from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from driftline.errors import Forbidden, Unauthenticated
from driftline.server.auth.roles import Permission, Principal
from driftline.server.auth.secrets import digest
from driftline.server.context import Context, Here, Known
from driftline.server.state import users
from driftline.server.state.models import Token, User

__all__ = ["CHANGES", "COOKIE", "CSRF_HEADER", "Caller", "authenticate", "needs"]

COOKIE = "driftline_session"
CSRF_HEADER = "X-Driftline"
CHANGES = "changes"
"""The hub's topic of every audited write."""
_KNOWN_SECONDS = 3.0
_KNOWN_MOST = 10_000
_SAFE = ("GET", "HEAD", "OPTIONS")

_bearer = HTTPBearer(auto_error=False, description="A personal token or a session's token")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="Session; writes also need the header X-Driftline")


async def _caller(
    request: Request,
    here: Here,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    cookie: Annotated[str | None, Depends(_cookie)],
) -> Principal:
    secret = bearer.credentials if bearer else cookie
    if not secret:
        raise Unauthenticated("expected a token in the header Authorization: Bearer, or a session")
    if not bearer and request.method not in _SAFE and CSRF_HEADER not in request.headers:
        raise Forbidden(f"a write by a session's cookie needs the header {CSRF_HEADER}")
    principal = _known(here, secret)
    if principal is None:
        principal = await anyio.to_thread.run_sync(authenticate, here, secret)
    here.limiter.count("requests", principal.token_id)
    request.state.principal = principal
    return principal


Caller = Annotated[Principal, Depends(_caller)]


def needs(permission: Permission) -> Any:
    """Make the dependency of an endpoint that takes a permission."""

    async def check(caller: Caller) -> None:
        caller.check(permission)

    return Depends(check)


def authenticate(context: Context, secret: str) -> Principal:
    """Find whose secret it is; raises ``Unauthenticated``, saying why."""
    now, number = context.now(), context.hub.number(CHANGES)
    with context.state.reading() as session:
        found = users.find_secret(session, digest(secret))
    if found is None:
        raise Unauthenticated("the token is unknown, or was revoked")
    token, user = found
    _check(token, user, now)
    if users.touch_is_due(token, now):
        with context.state.writing() as session:
            users.touch_token(session, token, now)
    principal = _principal(token, user)
    if len(context.principals) >= _KNOWN_MOST:
        context.principals.clear()
    context.principals[token.digest] = Known(principal, time.monotonic(), number, token.expires_at)
    return principal


# For a moment, so that a fleet that wakes at once asks memory; every write of this process ends it,
# those of another replica hold after ``_KNOWN_SECONDS``.
def _known(context: Context, secret: str) -> Principal | None:
    known = context.principals.get(digest(secret))
    if known is None or known.number != context.hub.number(CHANGES) or known.expires_at <= context.now():
        return None
    found: Principal = known.principal
    return found if time.monotonic() - known.at < _KNOWN_SECONDS else None


def _check(token: Token, user: User, now: datetime.datetime) -> None:
    if token.expires_at <= now:
        raise Unauthenticated(f"the token expired at {token.expires_at:%Y-%m-%d %H:%M} UTC")
    if user.disabled:
        raise Unauthenticated("the user is disabled")


def _principal(token: Token, user: User) -> Principal:
    return Principal(
        user_id=user.id,
        name=user.name,
        role=user.role,  # type: ignore[arg-type] # only roles are stored
        clusters=tuple(user.clusters),
        token_id=token.id,
        scopes=tuple(token.scopes),
    )
