"""The state over each database that it supports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.server.state import State
from tests.server import postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with postgres.cluster() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=postgres.needs_postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state.db"
    return postgres.new_database(request.getfixturevalue("postgres_url"))


@pytest.fixture
def state(url: str) -> Iterator[State]:
    made = State(url)
    made.migrate()
    yield made
    made.close()
