"""A store's socket: who owns the files answers there for all who do not.

``DIR/store.sock``, open to its owner alone; ``protocol`` says what goes over it.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from driftline.errors import DriftlineError
from driftline.store.files.database import Database
from driftline.store.process import protocol
from driftline.store.query.hunt_store import Hunt
from driftline.store.query.limits import Stop
from driftline.store.query.messages import Backup, Check, Statistics
from driftline.store.query.row_query import RowQuery

__all__ = ["SocketServer"]

_WATCH_SECONDS = 0.1


class SocketServer:
    """Answers for one database, in threads of its own, until closed."""

    def __init__(self, database: Database) -> None:
        """Listen in the database's directory."""
        self._path = database.directory / protocol.SOCKET
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
        with contextlib.suppress(ConnectionError):  # whoever asked does not wait for the answer
            while len(head := self.rfile.read(protocol.REQUEST_HEAD.size)) == protocol.REQUEST_HEAD.size:
                (length,) = protocol.REQUEST_HEAD.unpack(head)
                if length > protocol.REQUEST_MAX:
                    return
                status, body = self._answer(self.rfile.read(length))
                self.wfile.write(protocol.RESPONSE_HEAD.pack(status, len(body)))
                self.wfile.write(body)

    def _answer(self, data: bytes) -> tuple[int, bytes | memoryview]:
        try:
            request = protocol.decode_request(data)
            return protocol.encode_response(_HANDLERS[type(request)](self.server.database, request, self.connection))
        except DriftlineError as error:
            return protocol.encode_error(error)


def _hunted(database: Database, request: Hunt, peer: socket.socket) -> protocol.Response:
    if request.explain:
        return database.explain(request)
    with _stopped_without(peer) as stop:
        return database.hunt(request, stop=stop)


_HANDLERS: Mapping[type, Callable[[Database, Any, socket.socket], protocol.Response]] = {
    RowQuery: lambda database, query, _: database.select(query),
    Hunt: _hunted,
    Statistics: lambda database, *_: database.statistics(),
    Check: lambda database, *_: database.check(),
    Backup: lambda database, request, _: database.backup(Path(request.path)),
}


@contextlib.contextmanager
def _stopped_without(peer: socket.socket) -> Iterator[Stop]:
    stop, done = Stop(), threading.Event()
    watcher = threading.Thread(target=_stop_when_gone, args=(peer, stop, done), daemon=True)
    watcher.start()
    try:
        yield stop
    finally:
        done.set()
        watcher.join()


# Nothing comes between a request and its answer: what can be read is the end.
def _stop_when_gone(peer: socket.socket, stop: Stop, done: threading.Event) -> None:
    while not done.is_set():
        if select.select([peer], [], [], _WATCH_SECONDS)[0]:
            if not done.is_set() and not _has_more(peer):
                stop.stop("the caller went away")
            return


def _has_more(peer: socket.socket) -> bool:
    try:
        return bool(peer.recv(1, socket.MSG_PEEK))
    except ConnectionError:
        return False
