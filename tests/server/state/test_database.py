"""Connection, migration and transactions of the state database."""

from __future__ import annotations

import datetime
import threading
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.dialects import postgresql

from driftline.errors import NotFound, StateError
from driftline.server.state import State, models, search, users

PostgreSQL = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy does not type it
NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.timezone(datetime.timedelta(hours=5)))


def test_the_migrations_create_the_tables_of_the_models(state: State) -> None:
    with state.reading() as session:
        context = MigrationContext.configure(session.connection(), opts={"include_object": search.in_models})
        assert compare_metadata(context, models.Base.metadata) == []


def test_migrating_twice_changes_nothing(state: State) -> None:
    with state.writing() as session:
        users.add_user(session, "ada", password="", role="viewer", clusters=["*"], now=NOW)
    state.migrate()

    with state.reading() as session:
        assert users.count_users(session) == 1


def test_times_are_read_in_utc(state: State) -> None:
    with state.writing() as session:
        users.add_user(session, "ada", password="", role="viewer", clusters=["*"], now=NOW)
    with state.reading() as session:
        user = users.find_name(session, "ada")

    assert user is not None
    assert (user.created_at, user.created_at.tzinfo) == (NOW, datetime.UTC)


def test_an_exception_rolls_the_transaction_back(state: State) -> None:
    with pytest.raises(NotFound), state.writing() as session:
        users.add_user(session, "ada", password="", role="viewer", clusters=["*"], now=NOW)
        users.find_user(session, "nobody")

    with state.reading() as session:
        assert users.count_users(session) == 0


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # PostgreSQL locks rows; see ``database.lock``
def test_writers_wait_for_each_other(state: State) -> None:
    def add(number: int) -> None:
        with state.writing() as session:
            before = users.count_users(session)
            users.add_user(session, f"{before}-{number}", password="", role="viewer", clusters=[], now=NOW)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with state.reading() as session:
        found = users.list_users(session, after=None, limit=10)
    assert sorted(user.name[0] for user in found) == list("01234567")


@pytest.mark.parametrize("url", ["", "what://is/this", "sqlite:////no/such/folder/state.db"])
def test_an_invalid_url_is_a_state_error(url: str) -> None:
    with pytest.raises(StateError, match="database failed"):
        State(url).check()


def test_a_file_that_is_no_database_is_a_state_error(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"no database" * 100)
    with pytest.raises(StateError, match="the server's database failed"):
        State(f"sqlite:///{tmp_path}/state.db").migrate()


def test_the_schema_compiles_for_postgresql() -> None:
    tables = [str(sqlalchemy.schema.CreateTable(table).compile(dialect=PostgreSQL))
              for table in models.Base.metadata.sorted_tables]  # fmt: skip

    assert len(tables) == len(models.Base.metadata.tables)


@pytest.mark.parametrize(("begin", "end"), [(0, 100), (100, 4096), (100_000, None)])
def test_a_damaged_file_is_told_by_its_name(tmp_path: Path, begin: int, end: int | None) -> None:
    path = tmp_path / "state.db"
    made = State(f"sqlite:///{path}")
    made.migrate()
    made.close()
    data = path.read_bytes()
    path.write_bytes(data[:begin] + bytes((end or begin) - begin) + (data[end:] if end else b""))

    with pytest.raises(StateError, match=r"state\.db is damaged"):
        State(f"sqlite:///{path}").migrate()
