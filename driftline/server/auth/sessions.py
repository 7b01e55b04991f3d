"""Endpoints of the first setup, of logging in and out, and of the caller's own tokens and password."""

from __future__ import annotations

import datetime
import hmac
import math
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from driftline.errors import Conflict, Forbidden, InvalidInput, Unauthenticated
from driftline.server.audit.trail import AppTrail
from driftline.server.auth.caller import COOKIE, Caller
from driftline.server.auth.passwords import check_password, hash_password
from driftline.server.auth.roles import ALL, PERMISSIONS, Permission, Principal, Role
from driftline.server.auth.secrets import digest, new_secret
from driftline.server.http.choices import any_case
from driftline.server.http.parts import AppClock, AppLimiter, AppSettings, AppState
from driftline.server.http.requests import client_address
from driftline.server.settings import Settings
from driftline.server.state import Session, users
from driftline.server.state.models import User

__all__ = ["Name", "SessionMade", "cookies_are_secure", "open_session", "router"]

router = APIRouter(tags=["authentication"])

_TOKEN_DAYS = 30

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$", examples=["ada"])]
Password = Annotated[SecretStr, Field(max_length=1024, examples=["correct horse battery staple"])]


class Setup(BaseModel):
    """Name and password of the first admin, with the setup token."""

    model_config = ConfigDict(extra="forbid")
    token: str = Field(max_length=128, description="Setup token, which the server prints at its first start")
    name: Name
    password: Password


class Login(BaseModel):
    """A local user's name and password."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=128, examples=["ada"])
    password: Password


class SessionMade(BaseModel):
    """A new session; its token is also set as a cookie."""

    token: str = Field(description="Token for the header Authorization: Bearer; shown once")
    expires_at: datetime.datetime


class Me(BaseModel):
    """The authenticated user."""

    id: str
    name: str = Field(examples=["ada"])
    role: Role
    clusters: list[str] = Field(examples=[["prod-eu"]])
    permissions: list[str]
    scopes: list[str] = Field(description="Permissions that the token is limited to; empty: all of the role")


class NewToken(BaseModel):
    """A personal token to create."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=128, examples=["grafana"])
    scopes: list[Annotated[Permission, any_case(Permission)]] = Field(
        max_length=len(PERMISSIONS),
        description="Permissions of the token; empty: all of its owner",
        examples=[["hunt"]],
    )
    days: int | None = Field(
        default=None, ge=1, le=3650, description="Days until the token expires; none: 30, or as long as the present one"
    )


class TokenInfo(BaseModel):
    """A token or a session, without its secret."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    kind: str = Field(examples=["personal"])
    name: str
    scopes: list[str]
    created_at: datetime.datetime
    expires_at: datetime.datetime
    last_used_at: datetime.datetime | None


class TokenMade(TokenInfo):
    """A new token with its secret."""

    token: str = Field(description="Shown once")


@router.post("/setup", status_code=201)
def set_up(
    body: Setup,
    request: Request,
    response: Response,
    trail: AppTrail,
    limiter: AppLimiter,
    clock: AppClock,
    settings: AppSettings,
) -> SessionMade:
    """Create the first admin with the one-time setup token, and log in.

    The token is used up by this; further users are created by `/users`. Attempts are limited by client address.
    """
    limiter.count("logins", client_address(request))
    # Hashed before the transaction, which would keep the only writer waiting for the 50 ms of argon2id.
    hashed = hash_password(body.password.get_secret_value())
    with trail.changing(request, body.name, "setup") as session:
        expected = users.setup_digest(session)
        if not expected or not hmac.compare_digest(expected, digest(body.token)):
            raise Forbidden("wrong or used setup token")
        user = users.add_user(session, body.name, password=hashed, role="admin", clusters=[ALL], now=clock.now())
        users.drop_setup(session)
        return open_session(session, response, user, settings=settings, now=clock.now())


@router.post("/login")
def log_in(
    body: Login,
    request: Request,
    response: Response,
    state: AppState,
    trail: AppTrail,
    limiter: AppLimiter,
    clock: AppClock,
    settings: AppSettings,
) -> SessionMade:
    """Log in as a local user.

    A wrong name, a wrong password and a disabled user get the same response after the same time, so that names cannot
    be probed. Attempts are limited by client address.
    """
    limiter.count("logins", client_address(request))
    with state.reading() as session:
        user = users.find_name(session, body.name)
    right = check_password(user.password if user else "", body.password.get_secret_value())
    if not right or user is None or user.disabled:
        trail.note(request, "-", "login.refused", body.name)
        raise Unauthenticated("wrong name or password")
    with trail.changing(request, user.name, "login", user.id) as session:
        users.drop_expired(session, clock.now())
        return open_session(session, response, user, settings=settings, now=clock.now())


def open_session(
    session: Session, response: Response, user: User, *, settings: Settings, now: datetime.datetime
) -> SessionMade:
    """Create a session of a user and set its cookie; ``now`` is UTC.

    The cookie is HttpOnly, so that scripts cannot read it, and SameSite=Lax, so that other sites' forms do not send
    it.
    """
    secret = new_secret()
    expires_at = now + datetime.timedelta(hours=settings.session_hours)
    users.add_token(
        session,
        user,
        kind="session",
        name="login",
        digest=digest(secret),
        scopes=(),
        now=now,
        expires_at=expires_at,
    )
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(settings.session_hours * 3600),
        httponly=True,
        samesite="lax",
        secure=cookies_are_secure(settings),
    )
    return SessionMade(token=secret, expires_at=expires_at)


def cookies_are_secure(settings: Settings) -> bool:
    """Return whether cookies get the attribute Secure: users reach the server by HTTPS, directly or by a proxy."""
    return settings.speaks_tls or settings.public_url.lower().startswith("https:")


@router.post("/logout", status_code=204)
def log_out(request: Request, response: Response, trail: AppTrail, caller: Caller) -> None:
    """End the session or revoke the token that authenticates the request."""
    with trail.changing(request, caller.name, "logout", caller.token_id) as session:
        users.remove_token(session, caller.token_id, user_id=caller.user_id)
    response.delete_cookie(COOKIE)


@router.get("/whoami")
def whoami(caller: Caller) -> Me:
    """Return the authenticated user with role, clusters and permissions."""
    return Me(
        id=caller.user_id,
        name=caller.name,
        role=caller.role,
        clusters=list(caller.clusters),
        permissions=sorted(caller.permissions),
        scopes=list(caller.scopes),
    )


@router.get("/tokens")
def list_tokens(caller: Caller, state: AppState) -> list[TokenInfo]:
    """List the caller's own tokens and sessions; a token with scopes lists only itself."""
    with state.reading() as session:
        tokens = users.list_tokens(session, caller.user_id)
    shown = (token for token in tokens if not caller.scopes or token.id == caller.token_id)
    return [TokenInfo.model_validate(token) for token in shown]


@router.post("/tokens", status_code=201)
def make_token(
    body: NewToken, request: Request, caller: Caller, trail: AppTrail, clock: AppClock, settings: AppSettings
) -> TokenMade:
    """Create a personal token.

    Its permissions cannot exceed those of the request's token, and it does not outlive a personal token that creates
    it. Without `days` it lasts 30 days, or as long as the token that creates it.
    """
    _check_scopes(body, caller.permissions)
    now = clock.now()
    days = _days(body, caller, settings, now)
    # Without scopes of its own the new token inherits the limits of the token that creates it.
    scopes: list[str] = [*body.scopes] or [*caller.scopes]
    secret, expires_at = new_secret(), now + datetime.timedelta(days=days)
    with trail.changing(request, caller.name, "token.make", body.name, scopes=scopes, days=days) as session:
        token = users.add_token(
            session,
            users.find_user(session, caller.user_id),
            kind="personal",
            name=body.name,
            digest=digest(secret),
            scopes=scopes,
            now=now,
            expires_at=min(expires_at, caller.expires_at or expires_at) if caller.personal else expires_at,
        )
        return TokenMade(**TokenInfo.model_validate(token).model_dump(), token=secret)


def _check_scopes(body: NewToken, permissions: frozenset[str]) -> None:
    if beyond := sorted(set(body.scopes) - permissions):
        raise Forbidden(f"a token cannot have permissions that you do not have: {', '.join(beyond)}")


# The days that are left of a personal token are rounded up; the new token ends with it.
def _days(body: NewToken, caller: Principal, settings: Settings, now: datetime.datetime) -> int:
    most = settings.token_days
    if caller.personal and caller.expires_at:
        most = min(most, math.ceil((caller.expires_at - now) / datetime.timedelta(days=1)))
    if body.days is None:
        return min(_TOKEN_DAYS, most)
    if body.days > settings.token_days:
        raise InvalidInput(f"days: expected at most {settings.token_days}, got {body.days}")
    if body.days > most:
        raise Forbidden(f"a token cannot create one that lasts longer than itself; expected at most {most} days")
    return body.days


@router.delete("/tokens/{token_id}", status_code=204)
def revoke_token(token_id: str, request: Request, trail: AppTrail, caller: Caller) -> None:
    """Revoke one of the caller's own tokens or sessions; an admin of all clusters can revoke any.

    A token with scopes can revoke only itself, unless it has the permission `users:write`.
    """
    if caller.scopes and "users:write" not in caller.permissions and token_id != caller.token_id:
        raise Forbidden("a token with scopes can revoke only itself")
    owner = None if "users:write" in caller.permissions and caller.everywhere else caller.user_id
    with trail.changing(request, caller.name, "token.revoke", token_id) as session:
        users.remove_token(session, token_id, user_id=owner)


class PasswordChange(BaseModel):
    """Present and new password of the caller."""

    model_config = ConfigDict(extra="forbid")
    old: Password
    new: Password


@router.put("/password", status_code=204)
def change_password(
    body: PasswordChange, request: Request, caller: Caller, state: AppState, trail: AppTrail, limiter: AppLimiter
) -> None:
    """Change the caller's own password; ends all other sessions and tokens of the caller.

    The present password is required, so that a stolen session cannot take over the user; attempts are limited by user.
    """
    limiter.count("logins", caller.user_id)
    if caller.scopes:
        raise Forbidden("a token with scopes cannot change the password")
    with state.reading() as session:
        user = users.find_user(session, caller.user_id)
    if not user.password:
        raise Conflict("users of OIDC have no password on this server")
    if not check_password(user.password, body.old.get_secret_value()):
        raise Forbidden("wrong old password")
    hashed = hash_password(body.new.get_secret_value())
    with trail.changing(request, caller.name, "password.change", caller.user_id) as session:
        users.find_user(session, caller.user_id).password = hashed
        users.remove_tokens(session, caller.user_id, but=caller.token_id)
