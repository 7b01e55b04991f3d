"""Authentication of users: expiry by a given clock, last use, unknown secrets."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from driftline.errors import Unauthenticated
from driftline.server.auth.caller import Authenticator
from driftline.server.auth.secrets import digest
from driftline.server.clock import Clock
from driftline.server.signals import Hub
from driftline.server.state import State, users

NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def state(tmp_path: Path) -> State:
    made = State(f"sqlite:///{tmp_path}/state.db")
    made.migrate()
    return made


@pytest.fixture
def authenticator(state: State) -> Authenticator:
    return Authenticator(state, Hub(), Clock(lambda: NOON), oidc=HOUR)


def add_token(state: State, *, expires_at: datetime.datetime, confirmed_at: datetime.datetime | None = None) -> None:
    with state.writing() as session:
        user = users.add_user(session, "ada", password="", role="viewer", clusters=["*"], now=NOON)
        user.confirmed_at = confirmed_at
        users.add_token(
            session,
            user,
            kind="personal",
            name="t",
            digest=digest("secret"),
            scopes=(),
            now=NOON,
            expires_at=expires_at,
        )


def test_a_token_is_accepted_until_it_expires(state: State, authenticator: Authenticator) -> None:
    add_token(state, expires_at=NOON + HOUR)

    assert authenticator.authenticate("secret").name == "ada"


def test_an_expired_token_is_refused_with_its_expiry(state: State, authenticator: Authenticator) -> None:
    add_token(state, expires_at=NOON)

    with pytest.raises(Unauthenticated, match="expired at 2026-11-23 12:00 UTC"):
        authenticator.authenticate("secret")


def test_the_last_use_of_a_token_is_saved(state: State, authenticator: Authenticator) -> None:
    add_token(state, expires_at=NOON + HOUR)
    principal = authenticator.authenticate("secret")

    with state.reading() as session:
        (token,) = users.list_tokens(session, principal.user_id)

    assert token.last_used_at == NOON


@pytest.mark.parametrize("secret", ["", "other", "\udcff", "'; DROP TABLE tokens"])
def test_an_unknown_secret_is_refused(authenticator: Authenticator, secret: str) -> None:
    with pytest.raises(Unauthenticated, match="unknown"):
        authenticator.authenticate(secret)


def test_a_token_of_an_oidc_user_ends_unless_the_provider_confirms_the_user(state: State) -> None:
    add_token(state, expires_at=NOON + 100 * HOUR, confirmed_at=NOON - HOUR)
    authenticator = Authenticator(state, Hub(), Clock(lambda: NOON), oidc=HOUR)

    with pytest.raises(Unauthenticated, match="has to confirm the user again"):
        authenticator.authenticate("secret")
    with state.writing() as session:
        user = users.find_name(session, "ada")
        assert user
        user.confirmed_at = NOON

    assert authenticator.authenticate("secret").expires_at == NOON + HOUR
