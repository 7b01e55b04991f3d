"""Connection, migration and transactions of the state database.

SQLite allows one writer at a time. A transaction that will write starts with ``BEGIN IMMEDIATE`` and so waits
at its start (``busy_timeout``). With a plain ``BEGIN`` a transaction that reads and then writes could fail in
its middle with ``SQLITE_BUSY`` (https://www.sqlite.org/lang_transaction.html).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy
from alembic import command
from alembic.config import Config
from sqlalchemy import event, exc
from sqlalchemy.orm import Session, sessionmaker

from driftline.errors import InvalidInput, StateError

__all__ = ["Session", "State", "lock"]

MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_MS = 10_000
_FORMER_SENSORS = "sensors.db"
_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",  # a committed write survives the loss of power
    "foreign_keys = ON",
    f"busy_timeout = {_BUSY_MS}",
)


log = logging.getLogger(__name__)


class State:
    """The state database: SQLite, or another one that SQLAlchemy supports. Thread-safe."""

    def __init__(self, url: str) -> None:
        """Prepare connections to the database at an SQLAlchemy URL; raises ``StateError`` for an invalid one.

        Neither opens a connection nor changes a table.
        """
        with _translate_errors(url):
            self._engine = sqlalchemy.create_engine(url, pool_pre_ping=True, json_serializer=_encode_json)
        if self._engine.dialect.name == "sqlite":
            _tune_sqlite(self._engine)
        self._writer = self._engine.execution_options(driftline_writes=True)
        self._reading = sessionmaker(self._engine, expire_on_commit=False)
        self._writing = sessionmaker(self._writer, expire_on_commit=False)
        # SQLite waits by polling with sleeps, which can starve one of many writers; a lock lets them queue.
        sqlite = self._engine.dialect.name == "sqlite"
        self._write_lock: contextlib.AbstractContextManager[Any] = (
            threading.Lock() if sqlite else contextlib.nullcontext()
        )

    def migrate(self, data: Path | None = None) -> None:
        """Migrate the tables to the schema of this version; raises ``StateError``.

        ``data`` is the server's data directory. Its ``sensors.db``, in which earlier servers kept the sensors, is
        taken over and then renamed to ``sensors.db.migrated``. ``None``: there is nothing to take over.
        """
        former = data / _FORMER_SENSORS if data else None
        with self._translating(), self._writer.begin() as connection:
            command.upgrade(_config(connection, former), "head")
        if former is not None:
            _put_aside(former)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """Enter a transaction for reading; raises ``StateError``."""
        with self._translating(), self._reading() as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """Enter a transaction that is committed at the end of the block, or rolled back by an exception.

        Raises ``StateError`` if the database fails.
        """
        with self._translating(), self._write_lock, self._writing.begin() as session:
            yield session

    def check(self) -> None:
        """Run a trivial query; raises ``StateError`` if the database does not respond."""
        with self._translating(), self._engine.connect() as connection:
            connection.execute(sqlalchemy.text("SELECT 1"))

    def _translating(self) -> contextlib.AbstractContextManager[None]:
        return _translate_errors(self._engine.url.render_as_string())  # without its password

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy of a SQLite database to a new file; the database may be written to meanwhile.

        Raises ``InvalidInput`` for another database, which has its own tool, and ``StateError``.
        """
        if self._engine.dialect.name != "sqlite":
            raise InvalidInput("the state is not in SQLite; back it up by the tool of its database, such as pg_dump")
        with self._translating(), self._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.connection.cursor().execute("VACUUM INTO ?", (str(path),))

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


# msgspec is five times as fast as json, but refuses lone surrogates and integers beyond 64 bits.
def _encode_json(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (UnicodeEncodeError, OverflowError):
        return json.dumps(value)


def lock(session: Session, name: str) -> None:
    """Keep other transactions from taking the lock of a name until this one ends.

    For transactions whose writes depend on rows that do not exist yet, which no row lock protects. SQLite has only one
    writer; in PostgreSQL it is an advisory lock.
    """
    if session.get_bind().dialect.name == "postgresql":
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        session.execute(sqlalchemy.select(sqlalchemy.func.pg_advisory_xact_lock(number)))


# After the commit, so that a crash before it leaves the file where the next start looks for it. A crash between both
# is repaired by the next start, whose migration finds the tables and only renames the file. An existing copy is not
# overwritten: the file would then be of an earlier server that was started again, and its rows are nowhere else.
def _put_aside(former: Path) -> None:
    kept = former.with_name(former.name + ".migrated")
    if kept.exists():
        if former.exists():
            log.warning("%s is ignored, because %s was taken over before", former, kept)
        return
    with contextlib.suppress(FileNotFoundError):  # there is none, or another process was faster
        former.rename(kept)


def _config(connection: sqlalchemy.Connection, former: Path | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    config.attributes["former_sensors"] = former
    return config


# The sqlite3 module would start transactions by itself, and only before the first write. See "Serializable isolation /
# Savepoints / Transactional DDL" in SQLAlchemy's documentation of the pysqlite dialect.
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


# Only the first line: the others have the statement with its parameters, which may be personal data.
@contextlib.contextmanager
def _translate_errors(url: str) -> Iterator[None]:
    try:
        yield
    except exc.SQLAlchemyError as error:
        text = str(error).splitlines()[0]
        advice = ""
        if any(part in text for part in _DAMAGED):
            advice = f"; {url} is damaged: restore it from a backup, or move it away to start with an empty one"
        raise StateError(f"the server's database failed: {text}{advice}") from error


_DAMAGED = ("file is not a database", "database disk image is malformed", "unsupported file format")
