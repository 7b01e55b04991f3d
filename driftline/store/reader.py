"""Reading a store: through its process while one serves it, from its files otherwise."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Protocol, Self

import msgspec
import pyarrow as pa

from driftline.errors import StoreError
from driftline.store.database import HOT, Database
from driftline.store.query import Query
from driftline.store.service import ANSWER, QUESTION, SOCKET

__all__ = ["Reader", "open_reader"]

_TIMEOUT_SECONDS = 60.0


class _Source(Protocol):
    def select(self, query: Query) -> pa.Table: ...
    def close(self) -> None: ...


class Reader:
    """An open store; close it, or use it in a ``with`` statement."""

    def __init__(self, source: _Source) -> None:
        self._source = source

    def select(self, query: Query) -> pa.Table:
        """Answer a query; raises ``InvalidInput`` for one that asks for what is not there."""
        return self._source.select(query)

    def close(self) -> None:
        """Let go of the store."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_reader(directory: Path) -> Reader:
    """Open a store for reading; raises ``StoreError``."""
    try:
        return Reader(_Client(directory / SOCKET))
    except OSError:  # nobody serves it
        pass
    if not (directory / HOT).exists():
        raise StoreError(f"there is no store at {directory}; `driftline sensor --store {directory}` makes one")
    return Reader(Database(directory, read_only=True))


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
