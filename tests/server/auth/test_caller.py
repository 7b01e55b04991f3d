"""From a request to who asks: expiry, by a clock that is given."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from driftline.errors import Unauthenticated
from driftline.server.auth.caller import authenticate
from driftline.server.auth.secrets import digest
from driftline.server.context import Context
from driftline.server.http.rate_limits import Limiter
from driftline.server.settings import Settings
from driftline.server.state import State, users

NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)


def context(tmp_path: Path, now: datetime.datetime) -> Context:
    settings = Settings(data=tmp_path)
    state = State(settings.database_url)
    state.migrate()
    return Context(settings=settings, state=state, limiter=Limiter({}), now=lambda: now)


def add_token(here: Context, *, expires_at: datetime.datetime) -> None:
    with here.state.writing() as session:
        user = users.add_user(session, "ada", password="", role="viewer", clusters=["*"], now=NOON)
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


def test_a_token_holds_until_it_expires(tmp_path: Path) -> None:
    here = context(tmp_path, NOON)
    add_token(here, expires_at=NOON + HOUR)

    assert authenticate(here, "secret").name == "ada"


def test_an_expired_token_is_refused_saying_when(tmp_path: Path) -> None:
    here = context(tmp_path, NOON)
    add_token(here, expires_at=NOON)

    with pytest.raises(Unauthenticated, match="expired at 2026-11-23 12:00 UTC"):
        authenticate(here, "secret")


def test_the_last_use_is_noted(tmp_path: Path) -> None:
    here = context(tmp_path, NOON)
    add_token(here, expires_at=NOON + HOUR)
    principal = authenticate(here, "secret")

    with here.state.reading() as session:
        (token,) = users.list_tokens(session, principal.user_id)

    assert token.last_used_at == NOON


@pytest.mark.parametrize("secret", ["", "other", "\udcff", "'; DROP TABLE tokens"])
def test_anything_else_is_unknown(tmp_path: Path, secret: str) -> None:
    with pytest.raises(Unauthenticated, match="unknown"):
        authenticate(context(tmp_path, NOON), secret)
