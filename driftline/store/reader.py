"""Reading a store: through its process while one serves it, from its files otherwise."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Self

import msgspec
import pyarrow as pa

from driftline.errors import StoreError
from driftline.store.database import HOT, Database
from driftline.store.query import Query
from driftline.store.service import ANSWER, QUESTION, SOCKET

__all__ = ["Reader", "open_reader"]

_TIMEOUT_SECONDS = 60.0


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
        self._client = self._client or _connect(self._directory)
        if self._client:
            return self._client.select(query)
        database = Database(self._directory, read_only=True)
        try:
            return database.select(query)
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

    def select(self, query: Query) -> pa.Table:
        question = msgspec.json.encode(query)
        try:
            self._socket.sendall(QUESTION.pack(len(question)) + question)
            status, length = ANSWER.unpack(self._file.read(ANSWER.size))
            body = self._file.read(length)
        except (OSError, struct.error) as error:
            raise StoreError(f"the store's process went away: {error}") from error
        if status:
            raise StoreError(body.decode(errors="replace"))
        return pa.ipc.open_stream(body).read_all()

    def close(self) -> None:
        self._file.close()
        self._socket.close()
