"""Queries on users, their tokens and sessions, the setup token of the first start, and logins by OIDC.

Secrets are stored as digests only. Times are UTC.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from driftline.errors import Conflict, NotFound
from driftline.server.state.models import LoginCode, Meta, OidcLogin, Token, User

__all__ = [
    "add_login_code",
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
    "take_login_code",
    "take_oidc_login",
    "touch_is_due",
    "touch_token",
]

Time = datetime.datetime
_SETUP = "setup"
_LAST_USE_INTERVAL = datetime.timedelta(minutes=1)


def count_users(session: Session) -> int:
    """Return the number of users."""
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
    """Add a user and return it; raises ``Conflict`` if the name is taken.

    ``password`` is an encoded hash, empty for a user who logs in by OIDC; ``subject`` is then the issuer and the
    subject of the ID token. ``clusters`` are the granted clusters, ``*`` for all.
    """
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
        confirmed_at=now if subject else None,
    )
    session.add(user)
    session.flush()
    return user


def find_name(session: Session, name: str) -> User | None:
    """Return the user with a name; ``None`` if there is none."""
    return session.scalar(select(User).where(User.name == name))


def find_subject(session: Session, subject: str) -> User | None:
    """Return the user with an issuer and subject of OIDC; ``None`` if there is none."""
    return session.scalar(select(User).where(User.subject == subject))


def find_user(session: Session, user_id: str) -> User:
    """Return the user with an id; raises ``NotFound``."""
    user = session.get(User, user_id)
    if user is None:
        raise NotFound(f"no user {user_id!r}")
    return user


def list_users(session: Session, *, after: str | None, limit: int) -> list[User]:
    """Return at most ``limit`` users with names above ``after``, sorted by name; ``None`` for the first page."""
    query = select(User).order_by(User.name).limit(limit)
    return list(session.scalars(query.where(User.name > after) if after is not None else query))


def remove_user(session: Session, user: User) -> None:
    """Remove a user, and the user's tokens and sessions."""
    session.execute(delete(Token).where(Token.user_id == user.id))
    session.delete(user)
    session.flush()


def check_admin_left(session: Session) -> None:
    """Raise ``Conflict`` unless an enabled admin with all clusters is left.

    Called after a change in the same transaction, which the exception rolls back.
    """
    # The clusters are JSON, which the databases query in different ways: filter them here.
    admins = session.scalars(select(User).where(User.role == "admin", User.disabled.is_(False)))
    if not any("*" in user.clusters for user in admins):
        raise Conflict("this would leave no admin of all clusters; create another one first")


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
    """Add a token of a user and return it.

    ``kind`` tells personal tokens from sessions, ``digest`` is that of the secret; no ``scopes`` mean all
    permissions of the user's role.
    """
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
    """Return the token with a digest, and its user; ``None`` if there is none. Expiry is not checked."""
    row = session.execute(
        select(Token, User).join(User, User.id == Token.user_id).where(Token.digest == digest)
    ).one_or_none()
    return (row[0], row[1]) if row else None


def touch_token(session: Session, token: Token, now: Time) -> None:
    """Record the time of a token's latest use."""
    session.execute(update(Token).where(Token.id == token.id).values(last_used_at=now))


def touch_is_due(token: Token, now: Time) -> bool:
    """Return whether the recorded time of a token's latest use is more than a minute old.

    The time is recorded at this interval only, so that requests that read need no write transaction.
    """
    return token.last_used_at is None or now - token.last_used_at > _LAST_USE_INTERVAL


def list_tokens(session: Session, user_id: str) -> list[Token]:
    """Return the tokens and sessions of a user, the newest first."""
    return list(session.scalars(select(Token).where(Token.user_id == user_id).order_by(Token.created_at.desc())))


def remove_token(session: Session, token_id: str, *, user_id: str | None) -> None:
    """Remove a token; raises ``NotFound``, also for a token of another user than ``user_id``.

    ``None`` allows the tokens of all users.
    """
    token = session.get(Token, token_id)
    if token is None or (user_id is not None and token.user_id != user_id):
        raise NotFound(f"no token {token_id!r}")
    session.delete(token)


def remove_tokens(session: Session, user_id: str, *, but: str = "") -> None:
    """Remove the tokens and sessions of a user, except the token with the id ``but``."""
    session.execute(delete(Token).where(Token.user_id == user_id, Token.id != but))


def drop_expired(session: Session, now: Time) -> None:
    """Remove the expired tokens, sessions, OIDC logins and login codes."""
    session.execute(delete(Token).where(Token.expires_at <= now))
    for model in (OidcLogin, LoginCode):
        session.execute(delete(model).where(model.expires_at <= now))


def setup_digest(session: Session) -> str:
    """Return the digest of the setup token; empty if there is none. Another transaction waits until this one ends."""
    found = session.get(Meta, _SETUP, with_for_update=True)
    return found.value if found else ""


def set_setup(session: Session, digest: str) -> None:
    """Store the digest of a new setup token, in place of the previous one."""
    session.merge(Meta(name=_SETUP, value=digest))


def drop_setup(session: Session) -> None:
    """Remove the setup token, which is then invalid."""
    session.execute(delete(Meta).where(Meta.name == _SETUP))


def add_oidc_login(
    session: Session,
    *,
    state: str,
    nonce: str,
    verifier: str,
    expires_at: Time,
    port: int | None = None,
    challenge: str = "",
) -> None:
    """Store the values of a login for the time that the browser is at the provider.

    ``port`` and ``challenge`` are those of a command line that waits for the login; ``None`` for a browser's own.
    """
    session.add(
        OidcLogin(state=state, nonce=nonce, verifier=verifier, expires_at=expires_at, port=port, challenge=challenge)
    )


def add_login_code(session: Session, user: User, *, digest: str, challenge: str, expires_at: Time) -> None:
    """Store the digest of a code with which a command line can take over a login."""
    session.add(LoginCode(digest=digest, user_id=user.id, challenge=challenge, expires_at=expires_at))


def take_login_code(session: Session, digest: str, now: Time) -> LoginCode | None:
    """Remove and return the login code with a digest, so that each can be used once; ``None`` if unknown or expired."""
    code = session.get(LoginCode, digest)
    if code is None:
        return None
    session.delete(code)
    return code if code.expires_at > now else None


def take_oidc_login(session: Session, state: str, now: Time) -> OidcLogin | None:
    """Remove and return the login with a state, so that each can be used once; ``None`` if unknown or expired."""
    login = session.get(OidcLogin, state)
    if login is None:
        return None
    session.delete(login)
    return login if login.expires_at > now else None
