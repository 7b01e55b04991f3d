"""Logging in by an OpenID provider.

The provider says who somebody is and, by a claim, which role they have; the clusters are granted
here. Users are matched by issuer and subject, never by name, so that nobody becomes a local user
by calling themselves so.
"""

from __future__ import annotations

import datetime
import hmac
import secrets
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Cookie, Query, Request
from fastapi.responses import RedirectResponse

from driftline.errors import Forbidden, NotFound, Unauthenticated
from driftline.server.audit import trail
from driftline.server.auth.provider import Provider
from driftline.server.auth.roles import ROLES, Role
from driftline.server.auth.sessions import open_session
from driftline.server.context import Context, Here
from driftline.server.settings import Settings
from driftline.server.state import Session, users
from driftline.server.state.models import User

__all__ = ["role_of", "router"]

router = APIRouter(prefix="/oidc", tags=["authentication"])

_COOKIE = "driftline_oidc"
_MINUTES = 10
_NAME_MOST = 128


@router.get("/login", status_code=302, response_class=RedirectResponse)
def begin_oidc_login(request: Request, here: Here) -> RedirectResponse:
    """Send the browser to the OpenID provider."""
    here.limiter.count("logins", request.client.host if request.client else "")
    provider = _provider(request, here)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    url = provider.login_url(state=state, nonce=nonce, verifier=verifier, scopes=here.settings.oidc_scopes)
    expires_at = here.now() + datetime.timedelta(minutes=_MINUTES)
    with here.state.writing() as session:
        users.drop_expired(session, here.now())
        users.add_oidc_login(session, state=state, nonce=nonce, verifier=verifier, expires_at=expires_at)
    answer = RedirectResponse(url, 302)
    answer.set_cookie(_COOKIE, state, max_age=_MINUTES * 60, httponly=True, samesite="lax", secure=here.secure)
    return answer


@router.get("/callback", status_code=303, response_class=RedirectResponse)
def end_oidc_login(
    request: Request,
    here: Here,
    code: Annotated[str, Query(max_length=4096)] = "",
    state: Annotated[str, Query(max_length=256)] = "",
    error: Annotated[str, Query(max_length=256)] = "",
    cookie: Annotated[str, Cookie(alias=_COOKIE, max_length=256)] = "",
) -> RedirectResponse:
    """Take the browser back from the provider, and log its user in."""
    # The cookie ties the answer to the browser that asked: else one could be logged in as another.
    if not state or not hmac.compare_digest(state.encode(), cookie.encode()):
        raise Unauthenticated("this browser began no such login; begin anew")
    with here.state.writing() as session:
        login = users.take_oidc_login(session, state, here.now())
    if login is None:
        raise Unauthenticated("the login took too long, or was used already; begin anew")
    if error or not code:
        raise Unauthenticated(f"the OpenID provider refused: {error or 'no code'}")
    provider = _provider(request, here)
    claims = provider.claims(code, nonce=login.nonce, verifier=login.verifier, now=here.now())
    return _log_in(request, here, claims)


def _log_in(request: Request, here: Context, claims: Mapping[str, Any]) -> RedirectResponse:
    subject = f"{here.settings.oidc_issuer}|{claims['sub']}"
    role = role_of(claims, here.settings)
    if role is None:
        trail.note(request, "-", "login.refused", subject)
        raise Forbidden("none of your groups has a role here")
    answer = RedirectResponse("/", 303)
    with trail.changing(request, subject, "login", subject, role=role) as session:
        user = users.find_subject(session, subject) or _new_user(session, here, subject, claims)
        if user.disabled:
            raise Unauthenticated("the user is disabled")
        user.role = role
        open_session(here, session, answer, user)
    answer.delete_cookie(_COOKIE)
    return answer


def _new_user(session: Session, here: Context, subject: str, claims: Mapping[str, Any]) -> User:
    named = (claims.get(name) for name in ("preferred_username", "email", "sub"))
    name = next(text for text in named if isinstance(text, str) and text)[:_NAME_MOST]
    clusters = here.settings.oidc_clusters
    return users.add_user(session, name, password="", role=ROLES[0], clusters=clusters, now=here.now(), subject=subject)


def role_of(claims: Mapping[str, Any], settings: Settings) -> Role | None:
    """Give the highest role that a value of the claim has, else the default; ``None``: refused."""
    found = claims.get(settings.oidc_role_claim, ())
    values = found if isinstance(found, list) else [found]
    roles = [role for value, role in settings.oidc_roles.items() if value in values]
    return max(roles, key=ROLES.index) if roles else settings.oidc_default_role


def _provider(request: Request, here: Context) -> Provider:
    settings = here.settings
    if not settings.oidc_issuer:
        raise NotFound("this server has no OpenID provider; set oidc_issuer")
    base = settings.public_url.rstrip("/") or str(request.base_url).rstrip("/")
    return Provider(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        redirect_uri=f"{base}/api/v1/oidc/callback",
    )
