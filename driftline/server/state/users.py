"""Users, their tokens and sessions, and the one-time token of the first start."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from driftline.errors import Conflict, NotFound
from driftline.server.state.models import Meta, OidcLogin, Token, User

__all__ = [
    "add_oidc_login",
    "add_token",
    "add_user",
    "check_admin_left",
    "count_users",
    "drop_expired",
    "drop_setup",
    "find_name",
    "find_secret",
    "find_subject",
    "find_user",
    "list_tokens",
    "list_users",
    "remove_token",
    "remove_tokens",
    "remove_user",
    "set_setup",
    "setup_digest",
    "take_oidc_login",
    "touch_is_due",
    "touch_token",
]

Time = datetime.datetime
_SETUP = "setup"
_TOUCH = datetime.timedelta(minutes=1)


def count_users(session: Session) -> int:
    """Count all users."""
    return session.scalar(select(func.count()).select_from(User)) or 0


def add_user(
    session: Session,
    name: str,
    *,
    password: str,
    role: str,
    clusters: Sequence[str],
    now: Time,
    subject: str | None = None,
) -> User:
    """Add a user, ``password`` being hashed; raises ``Conflict`` if the name is taken."""
    if find_name(session, name):
        raise Conflict(f"there is a user {name!r} already")
    user = User(
        id=uuid.uuid4().hex,
        name=name,
        password=password,
        subject=subject,
        role=role,
        clusters=list(clusters),
        disabled=False,
        created_at=now,
    )
    session.add(user)
    session.flush()
    return user


def find_name(session: Session, name: str) -> User | None:
    """Find a user by name."""
    return session.scalar(select(User).where(User.name == name))


def find_subject(session: Session, subject: str) -> User | None:
    """Find a user by issuer and subject."""
    return session.scalar(select(User).where(User.subject == subject))


def find_user(session: Session, user_id: str) -> User:
    """Find a user by id; raises ``NotFound``."""
    user = session.get(User, user_id)
    if user is None:
        raise NotFound(f"no user {user_id!r}")
    return user


def list_users(session: Session, *, after: str | None, limit: int) -> list[User]:
    """List users by name, those after a name."""
    query = select(User).order_by(User.name).limit(limit)
    return list(session.scalars(query.where(User.name > after) if after is not None else query))


def remove_user(session: Session, user: User) -> None:
    """Remove a user with their tokens."""
    session.execute(delete(Token).where(Token.user_id == user.id))
    session.delete(user)
    session.flush()


def check_admin_left(session: Session) -> None:
    """Raise ``Conflict`` if no admin is left who may log in and sees every cluster."""
    admins = session.scalars(select(User).where(User.role == "admin", User.disabled.is_(False)))
    if not any("*" in user.clusters for user in admins):
        raise Conflict("this would leave no admin of all clusters; make another first")


def add_token(
    session: Session,
    user: User,
    *,
    kind: str,
    name: str,
    digest: str,
    scopes: Sequence[str],
    now: Time,
    expires_at: Time,
) -> Token:
    """Add a token or session of a user."""
    token = Token(
        id=uuid.uuid4().hex,
        user_id=user.id,
        kind=kind,
        name=name,
        digest=digest,
        scopes=list(scopes),
        created_at=now,
        expires_at=expires_at,
        last_used_at=None,
    )
    session.add(token)
    session.flush()
    return token


def find_secret(session: Session, digest: str) -> tuple[Token, User] | None:
    """Find a token by its digest, with whose it is."""
    row = session.execute(
        select(Token, User).join(User, User.id == Token.user_id).where(Token.digest == digest)
    ).one_or_none()
    return (row[0], row[1]) if row else None


def touch_token(session: Session, token: Token, now: Time) -> None:
    """Note when a token was last used."""
    session.execute(update(Token).where(Token.id == token.id).values(last_used_at=now))


def touch_is_due(token: Token, now: Time) -> bool:
    """Tell whether the time last noted is too old; a write for each request would be one too many."""
    return token.last_used_at is None or now - token.last_used_at > _TOUCH


def list_tokens(session: Session, user_id: str) -> list[Token]:
    """List a user's tokens and sessions, the newest first."""
    return list(session.scalars(select(Token).where(Token.user_id == user_id).order_by(Token.created_at.desc())))


def remove_token(session: Session, token_id: str, *, user_id: str | None) -> None:
    """Remove a token, of one user if given; raises ``NotFound``."""
    token = session.get(Token, token_id)
    if token is None or (user_id is not None and token.user_id != user_id):
        raise NotFound(f"no token {token_id!r}")
    session.delete(token)


def remove_tokens(session: Session, user_id: str, *, but: str = "") -> None:
    """Remove the tokens and sessions of a user, all but one."""
    session.execute(delete(Token).where(Token.user_id == user_id, Token.id != but))


def drop_expired(session: Session, now: Time) -> None:
    """Drop the tokens and logins whose time is over."""
    session.execute(delete(Token).where(Token.expires_at <= now))
    session.execute(delete(OidcLogin).where(OidcLogin.expires_at <= now))


def setup_digest(session: Session) -> str:
    """Give the digest of the setup token; "" if there is none."""
    found = session.get(Meta, _SETUP)
    return found.value if found else ""


def set_setup(session: Session, digest: str) -> None:
    """Replace the setup token."""
    session.merge(Meta(name=_SETUP, value=digest))


def drop_setup(session: Session) -> None:
    """Make the setup token worthless."""
    session.execute(delete(Meta).where(Meta.name == _SETUP))


def add_oidc_login(session: Session, *, state: str, nonce: str, verifier: str, expires_at: Time) -> None:
    """Remember a login that leaves for the provider."""
    session.add(OidcLogin(state=state, nonce=nonce, verifier=verifier, expires_at=expires_at))


def take_oidc_login(session: Session, state: str, now: Time) -> OidcLogin | None:
    """Give the login that comes back, once."""
    login = session.get(OidcLogin, state)
    if login is None:
        return None
    session.delete(login)
    return login if login.expires_at > now else None
