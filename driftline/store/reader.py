"""Reading a store: through its process while one serves it, from its files otherwise."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

import msgspec
import pyarrow as pa

from driftline.errors import StoreError
from driftline.store.database import HOT, Database
from driftline.store.query import Query
from driftline.store.questions import Backup, Check, Question, Statistics, TableStatistics
from driftline.store.serve import ANSWER, QUESTION, SOCKET

__all__ = ["Reader", "open_reader"]

_TIMEOUT_SECONDS = 3600.0  # a check or a backup of a large store takes its time; a query has its own limit
T = TypeVar("T")


class Reader:
    """A store to read from; close it, or use it in a ``with`` statement.

    The files are held open for a query only: as long as somebody reads them directly, no process
    can begin to serve them.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._client: _Client | None = None

    def select(self, query: Query) -> pa.Table:
        """Answer a query; raises ``InvalidInput`` for one that asks for what is not there."""
        return self._either(
            lambda client: pa.ipc.open_stream(client.ask(query)).read_all(), lambda database: database.select(query)
        )

    def statistics(self) -> dict[str, TableStatistics]:
        """Count rows and files of each table."""
        kind = dict[str, TableStatistics]
        return self._either(
            lambda client: msgspec.json.decode(client.ask(Statistics()), type=kind), Database.statistics
        )

    def check(self) -> list[str]:
        """Read everything; gives what is wrong, in words."""
        return self._either(lambda client: msgspec.json.decode(client.ask(Check()), type=list[str]), Database.check)

    def backup(self, destination: Path) -> int:
        """Copy the store into a new directory; gives the bytes. Raises ``StoreError``."""
        question = Backup(str(destination.absolute()))
        return self._either(
            lambda client: msgspec.json.decode(client.ask(question), type=int), lambda it: it.backup(destination)
        )

    def _either(self, ask: Callable[[_Client], T], look: Callable[[Database], T]) -> T:
        self._client = self._client or _connect(self._directory)
        if self._client:
            return ask(self._client)
        database = Database(self._directory, read_only=True)
        try:
            return look(database)
        finally:
            database.close()

    def close(self) -> None:
        """Let go of the store."""
        if self._client:
            self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_reader(directory: Path) -> Reader:
    """Open a store for reading; raises ``StoreError`` if there is none."""
    if not (directory / HOT).exists():
        raise StoreError(f"there is no store at {directory}; `driftline sensor --store {directory}` makes one")
    return Reader(directory)


def _connect(directory: Path) -> _Client | None:
    try:
        return _Client(directory / SOCKET)
    except OSError:  # nobody serves it
        return None


class _Client:
    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_TIMEOUT_SECONDS)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._file = self._socket.makefile("rb")

    def ask(self, question: Question) -> bytes:
        data = msgspec.json.encode(question)
        try:
            self._socket.sendall(QUESTION.pack(len(data)) + data)
            status, length = ANSWER.unpack(self._file.read(ANSWER.size))
            body = self._file.read(length)
        except (OSError, struct.error) as error:
            raise StoreError(f"the store's process went away: {error}") from error
        if status:
            raise StoreError(body.decode(errors="replace"))
        return bytes(body)

    def close(self) -> None:
        self._file.close()
        self._socket.close()
