"""The socket of a store, on which the process that has the files open answers requests of others.

``DIR/store.sock`` is open to its owner only (mode 0600); ``protocol`` describes the messages.
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
    """Answers requests to one database, each connection in a thread, until it is closed."""

    def __init__(self, database: Database) -> None:
        """Listen in the database's directory, in place of a socket that a crash left behind."""
        self._path = database.directory / protocol.SOCKET
        self._path.unlink(missing_ok=True)
        # The mode must be set before anything can connect: bind(2) applies the umask to the file (unix(7)).
        previous = os.umask(0o177)
        try:
            self._server = _Server(str(self._path), database)
        finally:
            os.umask(previous)
        threading.Thread(target=self._server.serve_forever, name="queries", daemon=True).start()

    def close(self) -> None:
        """Stop listening, and remove the socket. Requests that are being answered are not awaited."""
        self._server.shutdown()
        self._server.server_close()
        self._path.unlink(missing_ok=True)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str, database: Database) -> None:
        self.database = database
        super().__init__(path, _Handler)


# One connection: requests in turn, until the client closes it or sends a length beyond the limit.
class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # the client closed the connection before the response
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


# A hunt that no client waits for would hold memory and two threads until its time is over.
def _hunt(database: Database, request: Hunt, peer: socket.socket) -> protocol.Response:
    if request.explain:
        return database.explain(request)
    with _stop_if_gone(peer) as stop:
        return database.hunt(request, stop=stop)


_HANDLERS: Mapping[type, Callable[[Database, Any, socket.socket], protocol.Response]] = {
    RowQuery: lambda database, query, _: database.select(query),
    Hunt: _hunt,
    Statistics: lambda database, *_: database.statistics(),
    Check: lambda database, *_: database.check(),
    Backup: lambda database, request, _: database.backup(Path(request.path)),
}


# A thread for each running hunt; select(2) with a short timeout, so that it ends soon after the hunt.
@contextlib.contextmanager
def _stop_if_gone(peer: socket.socket) -> Iterator[Stop]:
    stop, done = Stop(), threading.Event()
    watcher = threading.Thread(target=_watch_peer, args=(peer, stop, done), daemon=True)
    watcher.start()
    try:
        yield stop
    finally:
        done.set()
        watcher.join()


# A client sends nothing between a request and its response: a readable socket means that it hung up. If it did
# send something, the request goes on unwatched.
def _watch_peer(peer: socket.socket, stop: Stop, done: threading.Event) -> None:
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
