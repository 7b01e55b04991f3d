"""Accepting connections and speaking HTTP on them, within the bounds of ``connections``.

asyncio's own server accepts whatever comes, and when descriptors run out it logs an error for each connection that
waits, thousands a second. ``Acceptor`` takes its place below uvicorn; ``BoundedProtocol`` adds the times of a request,
of which uvicorn has only that of an idle connection.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
import ssl
from asyncio import sslproto
from collections.abc import Callable
from typing import Any

from driftline.server.http.connections import Connection, Connections, client_of
from driftline.server.http.tls import PeerProtocol

__all__ = ["Acceptor", "BoundedProtocol"]

_AT_ONCE = 64  # connections accepted before other work of the event loop has a turn
_PAUSE_SECONDS = 0.25
_SHED = 16
_CLOSE_SECONDS = 1.0  # for TLS's close_notify of a peer that does not answer
_TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TLS_BUFFER = 32 << 10  # two records of TLS
_log = logging.getLogger(__name__)


class BoundedProtocol(PeerProtocol):
    """A connection whose requests have to arrive, and whose responses have to be read, in time."""

    def __init__(self, *, connection: Connection, connections: Connections, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._connection = connection
        self._connections = connections
        self._deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        super().connection_made(transport)
        self._connection.close = transport.abort
        if self.certificate:
            self._connections.identify(self._connection, f"certificate {hash(self.certificate)}")
        self._expect("headers", self._connections.bounds.header_seconds)

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._expect("headers", self._connections.bounds.header_seconds)
        super().data_received(data)

    def on_headers_complete(self) -> None:
        self._connections.set_busy(self._connection)
        self._expect("body", self._connections.bounds.body_seconds)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._expect_nothing()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.pipeline:
            self._connections.set_waiting(self._connection)

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        self.resume_writing()
        self._connections.release(self._connection)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        seconds = self._connections.bounds.write_seconds
        self._write_deadline = self.loop.call_later(seconds, self._cut, "unread response")

    def resume_writing(self) -> None:
        if self._write_deadline:
            self._write_deadline.cancel()
            self._write_deadline = None
        super().resume_writing()

    def _expect(self, part: str, seconds: float) -> None:
        self._expect_nothing()
        self._deadline = self.loop.call_later(seconds, self._give_up, part)

    def _expect_nothing(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    # The response goes out before the connection ends, if the peer reads it.
    def _give_up(self, part: str) -> None:
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(_TIMED_OUT)
        self.transport.close()
        self.loop.call_later(_CLOSE_SECONDS, self.transport.abort)
        self._connections.count_closed(part)

    def _cut(self, reason: str) -> None:
        self.transport.abort()
        self._connections.count_closed(reason)


class Acceptor:
    """Accepts connections from a listening socket; stands in for an ``asyncio.Server`` of uvicorn."""

    def __init__(
        self,
        listener: socket.socket,
        connections: Connections,
        protocol: Callable[[Connection], asyncio.Protocol],
        *,
        context: ssl.SSLContext | None,
    ) -> None:
        """Begin to accept on the running event loop; ``context`` is that of TLS, ``None`` for plain HTTP."""
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._connections = connections
        self._protocol = protocol
        self._context = context
        self._handshakes: set[asyncio.Task[None]] = set()
        self._resuming: asyncio.TimerHandle | None = None
        self._listening = True
        # asyncio gives each connection a buffer of 256 KiB: 1.4 GB for 4,000 connections, and 0.5 GB with this one.
        sslproto.SSLProtocol.max_size = _TLS_BUFFER
        listener.setblocking(False)
        self._resume()

    def _resume(self) -> None:
        self._resuming = None
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(error)
                return
            self._admit(accepted, client_of(str(address[0])))

    # Out of descriptors or memory. The listener stays readable, so it is left alone for a moment.
    def _pause(self, error: OSError) -> None:
        _log.error("connections cannot be accepted: %s", error.strerror)
        self._connections.shed(_SHED)
        self._loop.remove_reader(self._listener)
        self._resuming = self._loop.call_later(_PAUSE_SECONDS, self._resume)

    def _admit(self, accepted: socket.socket, client: str) -> None:
        connection = self._connections.admit(client, accepted.close)
        if connection is None:
            accepted.close()
            return
        accepted.setblocking(False)
        task = self._loop.create_task(self._serve(accepted, connection))
        connection.close = functools.partial(_cancel, task)
        self._handshakes.add(task)
        task.add_done_callback(self._handshakes.discard)

    # A failed handshake is the peer's affair: it is neither logged nor answered.
    async def _serve(self, accepted: socket.socket, connection: Connection) -> None:
        seconds: dict[str, float] = {}
        if self._context:
            seconds["ssl_handshake_timeout"] = self._connections.bounds.header_seconds
            seconds["ssl_shutdown_timeout"] = _CLOSE_SECONDS
        try:
            await self._loop.connect_accepted_socket(
                lambda: self._protocol(connection), accepted, ssl=self._context, **seconds
            )
        except (OSError, asyncio.CancelledError):
            self._connections.release(connection)
            accepted.close()

    def close(self) -> None:
        """Accept no further connection, and end the handshakes in progress."""
        if not self._listening:
            return
        self._listening = False
        if self._resuming:
            self._resuming.cancel()
        self._loop.remove_reader(self._listener)
        for task in self._handshakes:
            task.cancel()

    async def wait_closed(self) -> None:
        """Wait for the end of the handshakes."""
        await asyncio.gather(*self._handshakes, return_exceptions=True)


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
