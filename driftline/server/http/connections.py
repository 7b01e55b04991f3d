"""Bounds on the connections of clients: their number, and the connection that is closed for a new one.

Connections are counted from accept(2) on, before TLS. When there is one too many, in all or of one address, the longest
waiting connection without a request in progress is closed: of that address, or of the client with the most connections.
So a client that only holds connections loses some, and a new client is served. If every connection has a request in
progress, the new one is closed.

The clients of a proxy share its address; a sensor is counted by its certificate.

Rejected: refusing new connections beyond the bound, by which the first client could keep all others out; and
``limit_concurrency`` of uvicorn, which counts after TLS and the request's head.
"""

from __future__ import annotations

import ipaddress
import resource
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from driftline.server.http.metrics import Metrics

__all__ = ["Bounds", "Connection", "Connections", "client_of", "raise_file_limit"]

_OTHER_FILES = 256
"""Descriptors kept for the files of the event store and the state, and for hunts."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Most connections, and the seconds that parts of a request may take."""

    total: int = 10_000
    per_client: int = 5_000
    header_seconds: float = 15.0
    """From the connection, or the first byte of a further request, to the end of the request's head."""
    body_seconds: float = 60.0
    """From the end of the head to the end of the body."""
    write_seconds: float = 60.0
    """For which a client may leave a response unread."""


@dataclass(slots=True, eq=False)
class Connection:
    """One connection; ``close`` ends it at once."""

    client: str
    close: Callable[[], None]


@dataclass(slots=True)
class _Client:
    connections: set[Connection] = field(default_factory=set)
    # A mapping keeps the order of insertion: the first has waited longest.
    waiting: dict[Connection, None] = field(default_factory=dict)


class Connections:
    """The open connections by client. Not thread-safe: for one event loop."""

    def __init__(self, bounds: Bounds, metrics: Metrics) -> None:
        self.bounds = bounds
        self._metrics = metrics
        self._clients: defaultdict[str, _Client] = defaultdict(_Client)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def admit(self, client: str, close: Callable[[], None]) -> Connection | None:
        """Count a new connection, which ``close`` ends; ``None`` if there is no room for it."""
        if not self._make_room(client):
            self.count_closed("refused")
            return None
        connection = Connection(client, close)
        self._add(connection)
        return connection

    def identify(self, connection: Connection, client: str) -> None:
        """Count a connection for a client that is known by its certificate, no longer for its address."""
        self.release(connection)
        connection.client = client
        self._add(connection)

    def _add(self, connection: Connection) -> None:
        self._count += 1
        self._clients[connection.client].connections.add(connection)
        self.set_waiting(connection)
        self._metrics.connections.set(self._count)

    def set_waiting(self, connection: Connection) -> None:
        """Note that a connection has no request in progress as of now."""
        if connection in self._clients[connection.client].connections:
            self._clients[connection.client].waiting[connection] = None

    def set_busy(self, connection: Connection) -> None:
        """Note that a connection has a request in progress, and so keeps its place."""
        self._clients[connection.client].waiting.pop(connection, None)

    def release(self, connection: Connection) -> None:
        """Stop counting a connection that was closed; a second call has no effect."""
        client = self._clients[connection.client]
        if connection in client.connections:
            client.connections.remove(connection)
            client.waiting.pop(connection, None)
            self._count -= 1
        if not client.connections:
            del self._clients[connection.client]
        self._metrics.connections.set(self._count)

    def count_closed(self, reason: str) -> None:
        """Count a connection that the server closed."""
        self._metrics.closed_connections.labels(reason).inc()

    def shed(self, count: int) -> None:
        """Close up to so many waiting connections, since the process has run out of descriptors."""
        for _ in range(count):
            if not self._close_one(self._largest()):
                return

    def _make_room(self, client: str) -> bool:
        known = self._clients.get(client)
        if known and len(known.connections) >= self.bounds.per_client and not self._close_one(client):
            return False
        return self._count < self.bounds.total or self._close_one(self._largest())

    # Of all clients with a waiting connection, the one with the most connections; "" if there is none.
    def _largest(self) -> str:
        waiting = ((len(it.connections), name) for name, it in self._clients.items() if it.waiting)
        return max(waiting, default=(0, ""))[1]

    def _close_one(self, client: str) -> bool:
        known = self._clients.get(client)
        if known is None or not known.waiting:
            return False
        connection = next(iter(known.waiting))
        self.release(connection)
        connection.close()
        self.count_closed("crowded")
        return True


def client_of(address: str) -> str:
    """Return the key of the client at an IP address: of IPv6 the network of 64 bits, all of which one client has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def raise_file_limit(wanted: int) -> int:
    """Raise this process's limit of open files for so many connections; return how many it allows.

    The soft limit is raised as far as the hard limit allows (setrlimit(2)).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_FILES
    ceiling = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < ceiling:
        resource.setrlimit(resource.RLIMIT_NOFILE, (ceiling, hard))
        soft = ceiling
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, soft - min(_OTHER_FILES, soft // 2)))
