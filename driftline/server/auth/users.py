"""Endpoints of users, for admins."""

from __future__ import annotations

import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from driftline.errors import Conflict
from driftline.server.audit.trail import AppTrail
from driftline.server.auth.caller import Caller, needs
from driftline.server.auth.passwords import hash_password
from driftline.server.auth.roles import ALL, Principal, Role
from driftline.server.auth.sessions import Name
from driftline.server.http.choices import any_case
from driftline.server.http.paging import Cursor, Limit, Page, decode_cursor, page_of
from driftline.server.http.parts import AppClock, AppState
from driftline.server.state import users
from driftline.server.state.models import User

__all__ = ["router"]

router = APIRouter(prefix="/users", tags=["users"])

AnyRole = Annotated[Role, any_case(Role)]
Cluster = Annotated[str, Field(pattern=r"^(\*|[A-Za-z0-9][A-Za-z0-9._/-]{0,252})$")]
Clusters = Annotated[list[Cluster], Field(max_length=1000, examples=[["prod-eu", "prod-us"]])]


class NewUser(BaseModel):
    """A local user to create."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    password: SecretStr = Field(max_length=1024, examples=["correct horse battery staple"])
    role: AnyRole = "viewer"
    clusters: Clusters = Field(default=[ALL], description="Granted clusters; `*`: all")


class UserChange(BaseModel):
    """Changes of a user; absent fields keep their values."""

    model_config = ConfigDict(extra="forbid")
    role: AnyRole | None = None
    clusters: Clusters | None = None
    disabled: bool | None = None
    password: SecretStr | None = Field(default=None, max_length=1024)


class UserInfo(BaseModel):
    """A user."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    name: str = Field(examples=["ada"])
    role: Role
    clusters: list[str]
    disabled: bool
    subject: str | None = Field(description="Issuer and subject of the ID token, for users of OIDC")
    created_at: datetime.datetime


@router.get("", dependencies=[needs("users:read")])
def list_users(state: AppState, limit: Limit = 100, cursor: Cursor = "") -> Page[UserInfo]:
    """List users by name."""
    key = decode_cursor(cursor, str)
    with state.reading() as session:
        rows = users.list_users(session, after=key[0] if key else None, limit=limit + 1)
    return page_of(rows, limit=limit, item=UserInfo.model_validate, key=lambda row: (row.name,))


@router.post("", status_code=201, dependencies=[needs("users:write")])
def make_user(body: NewUser, request: Request, caller: Caller, trail: AppTrail, clock: AppClock) -> UserInfo:
    """Create a local user.

    The caller can grant no clusters beyond the caller's own, and no role that has permissions which the caller's
    token lacks.
    """
    caller.check_grant(body.clusters)
    caller.check_role(body.role)
    hashed = hash_password(body.password.get_secret_value())
    granted: dict[str, Any] = {"role": body.role, "clusters": body.clusters}
    with trail.changing(request, caller.name, "user.make", body.name, **granted) as session:
        user = users.add_user(session, body.name, password=hashed, now=clock.now(), **granted)
        return UserInfo.model_validate(user)


@router.get("/{user_id}", dependencies=[needs("users:read")])
def get_user(user_id: str, state: AppState) -> UserInfo:
    """Return one user."""
    with state.reading() as session:
        return UserInfo.model_validate(users.find_user(session, user_id))


@router.patch("/{user_id}", dependencies=[needs("users:write")])
def change_user(user_id: str, body: UserChange, request: Request, trail: AppTrail, caller: Caller) -> UserInfo:
    """Change a user; a new password or disabling ends all sessions and tokens of the user.

    A caller whose token lacks permissions of the user's role, the present or the new one, can only disable the user. A
    change that would leave no enabled admin of all clusters is a conflict.
    """
    changes = body.model_dump(exclude_none=True, exclude={"password"})
    hashed = hash_password(body.password.get_secret_value()) if body.password else ""
    # The audit trail records that the password was changed, never the password.
    told = changes | ({"password": "changed"} if hashed else {})
    with trail.changing(request, caller.name, "user.change", user_id, **told) as session:
        user = users.find_user(session, user_id)
        _check_reach(caller, user, body)
        for name, value in changes.items():
            setattr(user, name, value)
        user.password = hashed or user.password
        if hashed or body.disabled:
            users.remove_tokens(session, user_id)
        session.flush()
        users.check_admin_left(session)
        return UserInfo.model_validate(user)


# Both the present and the new clusters: an admin of some clusters can change neither users of others nor grant them.
def _check_reach(caller: Principal, user: User, body: UserChange) -> None:
    if body.password and user.subject:
        raise Conflict("users of OIDC have no password on this server")
    caller.check_grant(user.clusters)
    caller.check_grant(body.clusters or ())
    # Who sets a password can log in as the user. Disabling gives the caller nothing.
    if body.model_fields_set - {"disabled"} or body.disabled is False:
        caller.check_role(user.role)  # type: ignore[arg-type] # only roles are stored
        caller.check_role(body.role or "viewer")


@router.delete("/{user_id}", status_code=204, dependencies=[needs("users:write")])
def remove_user(user_id: str, request: Request, trail: AppTrail, caller: Caller) -> None:
    """Remove a user with all tokens; the audit trail keeps the name."""
    with trail.changing(request, caller.name, "user.remove", user_id) as session:
        user = users.find_user(session, user_id)
        caller.check_grant(user.clusters)
        users.remove_user(session, user)
        users.check_admin_left(session)
