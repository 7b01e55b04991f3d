"""A store's socket: who owns the files answers there for all who do not.

``DIR/store.sock``, open to its owner alone. A question is four bytes of length and JSON
(``questions``); the answer one byte, 0 or 1 for an error, eight bytes of length, and an Arrow IPC
stream for a query, JSON for the rest, or the error's words.
"""

from __future__ import annotations

import os
import socketserver
import struct
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from driftline.errors import DriftlineError
from driftline.store.database import Database
from driftline.store.query import Query
from driftline.store.questions import Backup, Check, Question, Statistics

__all__ = ["ANSWER", "QUESTION", "SOCKET", "Service"]

SOCKET = "store.sock"
QUESTION = struct.Struct("<I")
ANSWER = struct.Struct("<BQ")

_QUESTION_MAX = 1 << 20
_question: msgspec.json.Decoder[Question] = msgspec.json.Decoder(Question)


class Service:
    """Answers for one database, in threads of its own, until closed."""

    def __init__(self, database: Database) -> None:
        """Listen in the database's directory."""
        self._path = database.directory / SOCKET
        self._path.unlink(missing_ok=True)
        previous = os.umask(0o177)
        try:
            self._server = _Server(str(self._path), database)
        finally:
            os.umask(previous)
        threading.Thread(target=self._server.serve_forever, name="queries", daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._path.unlink(missing_ok=True)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str, database: Database) -> None:
        self.database = database
        super().__init__(path, _Handler)


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        while head := self.rfile.read(QUESTION.size):
            (length,) = QUESTION.unpack(head)
            if length > _QUESTION_MAX:
                return
            status, body = self._answer(self.rfile.read(length))
            self.wfile.write(ANSWER.pack(status, len(body)) + body)

    def _answer(self, data: bytes) -> tuple[int, bytes]:
        try:
            question = _question.decode(data)
            return 0, _ANSWERS[type(question)](self.server.database, question)
        except (DriftlineError, msgspec.DecodeError) as error:
            return 1, str(error).encode()


def _rows(database: Database, question: Query) -> bytes:
    table = database.select(question)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


_ANSWERS: Mapping[type, Callable[[Database, Any], bytes]] = {
    Query: _rows,
    Statistics: lambda database, _: msgspec.json.encode(database.statistics()),
    Check: lambda database, _: msgspec.json.encode(database.check()),
    Backup: lambda database, question: msgspec.json.encode(database.backup(Path(question.path))),
}
