"""Endpoints of the login by an OpenID provider (authorization code flow).

The provider authenticates the user, and a claim of the ID token gives the role; clusters are granted on this server.
Users are matched by issuer and subject, the only claims that identify a user for good (OpenID Connect Core 1.0, section
5.7). Matching by name would let a user of the provider take over a local user of the same name.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Cookie, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from driftline.errors import Forbidden, InvalidInput, NotFound, Unauthenticated
from driftline.server.audit.trail import AppTrail, Trail
from driftline.server.auth.provider import Provider
from driftline.server.auth.roles import ROLES, Role
from driftline.server.auth.secrets import digest, new_secret
from driftline.server.auth.sessions import SessionMade, cookies_are_secure, open_session
from driftline.server.http.parts import AppClock, AppLimiter, AppSettings, AppState
from driftline.server.http.requests import client_address
from driftline.server.settings import Settings
from driftline.server.state import users
from driftline.server.state.models import OidcLogin

__all__ = ["role_of", "router"]

router = APIRouter(prefix="/oidc", tags=["authentication"])

_COOKIE = "driftline_oidc"
_MINUTES = 10
_CODE_MINUTES = 1
_NAME_MOST = 128  # characters, as for local users


@router.get("/login", status_code=302, response_class=RedirectResponse)
def begin_oidc_login(
    request: Request,
    database: AppState,
    limiter: AppLimiter,
    clock: AppClock,
    settings: AppSettings,
    port: Annotated[int | None, Query(ge=1, le=65535, description="Port where a command line waits")] = None,
    challenge: Annotated[
        str, Query(pattern="^([A-Za-z0-9_-]{43})?$", description="Its S256 challenge (RFC 7636)")
    ] = "",
) -> RedirectResponse:
    """Redirect the browser to the OpenID provider.

    State, nonce and the PKCE verifier (RFC 7636) of the login are kept for ten minutes. With `port` and `challenge` the
    browser is sent to that port of its own machine in the end, with a code for `POST /oidc/token` (RFC 8252).
    """
    if (port is None) != (not challenge):
        raise InvalidInput("expected both port and challenge, or none of them")
    # A limit of its own: any page can send a browser here, which must not spend the attempts to log in by password.
    limiter.count("oidc", client_address(request))
    provider = _provider(request, settings)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    url = provider.login_url(state=state, nonce=nonce, verifier=verifier, scopes=settings.oidc_scopes)
    expires_at = clock.now() + datetime.timedelta(minutes=_MINUTES)
    with database.writing() as session:
        users.drop_expired(session, clock.now())
        users.add_oidc_login(
            session,
            state=state,
            nonce=nonce,
            verifier=verifier,
            expires_at=expires_at,
            port=port,
            challenge=challenge,
        )
    answer = RedirectResponse(url, 302)
    secure = cookies_are_secure(settings)
    answer.set_cookie(_COOKIE, state, max_age=_MINUTES * 60, httponly=True, samesite="lax", secure=secure)
    return answer


@router.get("/callback", status_code=303, response_class=RedirectResponse)
def end_oidc_login(  # noqa: PLR0917 -- FastAPI calls it, by name
    request: Request,
    database: AppState,
    trail: AppTrail,
    clock: AppClock,
    settings: AppSettings,
    code: Annotated[str, Query(max_length=4096)] = "",
    state: Annotated[str, Query(max_length=256)] = "",
    error: Annotated[str, Query(max_length=256)] = "",
    cookie: Annotated[str, Cookie(alias=_COOKIE, max_length=256)] = "",
) -> RedirectResponse:
    """Receive the browser back from the provider, and log its user in.

    The role is taken from the claim at every login. The first login creates the user with the clusters of the setting
    `oidc_clusters`.
    """
    # The cookie binds the response to the browser that began the login (RFC 6749, section 10.12): otherwise an attacker
    # could log a victim's browser in as the attacker.
    if not state or not hmac.compare_digest(state.encode(), cookie.encode()):
        raise Unauthenticated("this login was not started by this browser; start again")
    with database.writing() as session:
        login = users.take_oidc_login(session, state, clock.now())
    if login is None:
        raise Unauthenticated("the login took too long, or was used already; start again")
    if error or not code:
        raise Unauthenticated(f"the OpenID provider refused: {error or 'no code'}")
    provider = _provider(request, settings)
    claims = provider.claims(code, nonce=login.nonce, verifier=login.verifier, now=clock.now())
    return _log_in(request, claims, login, trail=trail, settings=settings, now=clock.now())


def _log_in(
    request: Request,
    claims: Mapping[str, Any],
    login: OidcLogin,
    *,
    trail: Trail,
    settings: Settings,
    now: datetime.datetime,
) -> RedirectResponse:
    subject = f"{settings.oidc_issuer}|{claims['sub']}"
    role = role_of(claims, settings)
    if role is None:
        trail.note(request, "-", "login.refused", subject)
        raise Forbidden("none of your groups has a role here")
    code = new_secret()
    answer = RedirectResponse(f"http://127.0.0.1:{login.port}/?code={code}" if login.port else "/", 303)
    with trail.changing(request, subject, "login", subject, role=role) as session:
        user = users.find_subject(session, subject)
        if user is None:
            name, clusters = _name(claims), settings.oidc_clusters
            user = users.add_user(session, name, password="", role=role, clusters=clusters, now=now, subject=subject)
        if user.disabled:
            raise Unauthenticated("the user is disabled")
        user.role, user.confirmed_at = role, now
        if login.port:
            expires_at = now + datetime.timedelta(minutes=_CODE_MINUTES)
            users.add_login_code(session, user, digest=digest(code), challenge=login.challenge, expires_at=expires_at)
        else:
            open_session(session, answer, user, settings=settings, now=now)
    answer.delete_cookie(_COOKIE)
    return answer


class CodeExchange(BaseModel):
    """The code that the browser brought to a command line, with the verifier of the command line's challenge."""

    model_config = ConfigDict(extra="forbid")
    code: str = Field(max_length=128)
    verifier: str = Field(max_length=128)


@router.post("/token")
def exchange_login_code(
    trail: AppTrail,
    limiter: AppLimiter,
    clock: AppClock,
    settings: AppSettings,
    state: AppState,
    request: Request,
    response: Response,
    body: CodeExchange | None = None,
) -> SessionMade:
    """Take over a login by OIDC with the code that the browser brought to a command line; a code is accepted once."""
    limiter.count("oidc", client_address(request))
    if body is None:
        raise Unauthenticated("expected the code that the browser brought, and the verifier")
    now = clock.now()
    with state.writing() as session:
        code = users.take_login_code(session, digest(body.code), now)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(body.verifier.encode()).digest()).decode().rstrip("=")
    if code is None or not hmac.compare_digest(code.challenge.encode(), challenge.encode()):
        raise Unauthenticated("the code is unknown, was used already, or belongs to another login; start again")
    with trail.changing(request, code.user_id, "login.code", code.user_id) as session:
        user = users.find_user(session, code.user_id)
        if user.disabled:
            raise Unauthenticated("the user is disabled")
        return open_session(session, response, user, settings=settings, now=now)


def _name(claims: Mapping[str, Any]) -> str:
    named = (claims.get(name) for name in ("preferred_username", "email", "sub"))
    return next(text for text in named if isinstance(text, str) and text)[:_NAME_MOST]


def role_of(claims: Mapping[str, Any], settings: Settings) -> Role | None:
    """Return the highest role of the claim's values by the setting ``oidc_roles``, else the default role.

    ``None``: the login is refused.
    """
    found = claims.get(settings.oidc_role_claim, ())
    values = found if isinstance(found, list) else [found]
    roles = [role for value, role in settings.oidc_roles.items() if value in values]
    return max(roles, key=ROLES.index) if roles else settings.oidc_default_role


def _provider(request: Request, settings: Settings) -> Provider:
    if not settings.oidc_issuer:
        raise NotFound("this server has no OpenID provider; set oidc_issuer")
    base = settings.public_url.rstrip("/") or str(request.base_url).rstrip("/")
    return Provider(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        redirect_uri=f"{base}/api/v1/oidc/callback",
    )
