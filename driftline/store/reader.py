"""Reading a store: through its process while one serves it, from its files otherwise."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar, cast

import msgspec
import pyarrow as pa

from driftline.errors import StoreError
from driftline.store.database import HOT, Database
from driftline.store.query import Query
from driftline.store.service import SOCKET
from driftline.store.stored import Ask, Explained
from driftline.store.wire import ANSWER, QUESTION, Answer, answer_of

__all__ = ["Reader", "is_store", "open_reader"]

_TIMEOUT_SECONDS = 60.0
Question = TypeVar("Question", Query, Ask)
Reply = TypeVar("Reply", pa.Table, Explained)


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
        return self._asked(query, Database.select)

    def hunt(self, ask: Ask) -> pa.Table:
        """Answer a hunt; raises ``InvalidQuery`` and ``StoreError``.

        An exception in the caller's thread meanwhile, such as Ctrl-C, ends the hunt.
        """
        return self._asked(ask, Database.hunt)

    def explain(self, ask: Ask) -> Explained:
        """Tell how a hunt would run; raises as ``hunt`` does."""
        return self._asked(msgspec.structs.replace(ask, explain=True), Database.explain)

    def _asked(self, question: Question, directly: Callable[[Database, Question], Reply]) -> Reply:
        self._client = self._client or _connect(self._directory)
        if self._client:
            return cast("Reply", self._client.ask(question))
        database = Database(self._directory, read_only=True)
        try:
            return directly(database, question)
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


def is_store(directory: Path) -> bool:
    """Say whether there is a store."""
    return (directory / HOT).exists()


def open_reader(directory: Path) -> Reader:
    """Open a store for reading; raises ``StoreError`` if there is none."""
    if not is_store(directory):
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

    def ask(self, asked: Query | Ask) -> Answer:
        question = msgspec.json.encode(asked)
        try:
            self._socket.settimeout(_TIMEOUT_SECONDS + (asked.seconds if isinstance(asked, Ask) else 0.0))
            self._socket.sendall(QUESTION.pack(len(question)) + question)
            status, length = ANSWER.unpack(self._file.read(ANSWER.size))
            body = self._file.read(length)
        except (OSError, struct.error) as error:
            raise StoreError(f"the store's process went away: {error}") from error
        return answer_of(status, body)

    def close(self) -> None:
        self._file.close()
        self._socket.close()
