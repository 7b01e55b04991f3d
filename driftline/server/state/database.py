"""Opening, migrating and entering the state.

SQLite allows one writer: a transaction that will write begins as ``BEGIN IMMEDIATE``, so that it
waits at its beginning (``busy_timeout``) and not with ``SQLITE_BUSY`` in its middle, where a
read-then-write transaction cannot be retried (https://www.sqlite.org/lang_transaction.html).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy
from alembic import command
from alembic.config import Config
from sqlalchemy import event, exc
from sqlalchemy.orm import Session, sessionmaker

from driftline.errors import StateError

__all__ = ["Session", "State"]

MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_MS = 10_000
_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",  # a committed write survives the loss of power
    "foreign_keys = ON",
    f"busy_timeout = {_BUSY_MS}",
)


class State:
    """The database, behind one door."""

    def __init__(self, url: str) -> None:
        """Open it without touching its tables; raises ``StateError`` for a URL that means nothing."""
        with _translated():
            self._engine = sqlalchemy.create_engine(url, pool_pre_ping=True)
        if self._engine.dialect.name == "sqlite":
            _tune_sqlite(self._engine)
        self._writer = self._engine.execution_options(driftline_writes=True)
        self._reading = sessionmaker(self._engine, expire_on_commit=False)
        self._writing = sessionmaker(self._writer, expire_on_commit=False)
        # SQLite's waiting is polling with naps, which starves some of many: here they queue.
        sqlite = self._engine.dialect.name == "sqlite"
        self._turn: contextlib.AbstractContextManager[Any] = threading.Lock() if sqlite else contextlib.nullcontext()

    def migrate(self) -> None:
        """Bring the tables to this version's schema; raises ``StateError``."""
        with _translated(), self._writer.begin() as connection:
            command.upgrade(_config(connection), "head")

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """Enter a transaction that only reads."""
        with _translated(), self._reading() as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """Enter a transaction that is committed at the end, or rolled back by an exception."""
        with _translated(), self._turn, self._writing.begin() as session:
            yield session

    def check(self) -> None:
        """Ask the database anything; raises ``StateError`` if it does not answer."""
        with _translated(), self._engine.connect() as connection:
            connection.execute(sqlalchemy.text("SELECT 1"))

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _config(connection: sqlalchemy.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


# sqlite3 would begin transactions by itself, and late; see SQLAlchemy's notes on pysqlite.
def _tune_sqlite(engine: sqlalchemy.Engine) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: sqlalchemy.Connection) -> None:
        writes = connection.get_execution_options().get("driftline_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except exc.SQLAlchemyError as error:
        raise StateError(f"the server's database failed: {str(error).splitlines()[0]}") from error
