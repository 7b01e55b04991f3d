"""HTTP endpoints of the sensor: ``/metrics`` (Prometheus), ``/status`` (JSON) and ``/healthz``.

Without authentication, so on the loopback address by default.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import prometheus_client

from driftline.errors import InvalidInput
from driftline.sensor.reporting.metrics import SensorCollector

__all__ = ["DEFAULT_ADDRESS", "StatusServer"]

DEFAULT_ADDRESS = "127.0.0.1:9465"
"""Address, as ``host:port``, if none is configured."""


class StatusServer:
    """HTTP server on one address, in threads of its own, until ``close``."""

    def __init__(self, address: str, status: Callable[[], Mapping[str, Any]]) -> None:
        """Listen on ``address`` (``host:port``); port 0 means any free port.

        ``status`` returns the content of ``/status`` and is called from the server's threads. Raises ``InvalidInput``.
        """
        host, _, port = address.rpartition(":")
        if not port.isdigit():
            raise InvalidInput(f"--listen: expected HOST:PORT, got {address!r}")
        try:
            self._server = ThreadingHTTPServer((host.strip("[]"), int(port)), _handler(status))
        except OSError as error:
            raise InvalidInput(f"--listen: cannot listen on {address}: {error.strerror}") from error
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="status", daemon=True).start()

    @property
    def address(self) -> str:
        """Address that it listens on, as ``host:port``."""
        return ":".join(str(part) for part in self._server.server_address[:2])

    def close(self) -> None:
        """Stop listening; requests under way end with the process."""
        self._server.shutdown()
        self._server.server_close()


# http.server makes one handler object for each request, so the pages are bound to a class.
def _handler(status: Callable[[], Mapping[str, Any]]) -> type[BaseHTTPRequestHandler]:
    # A registry of its own: the global one would add metrics of the Python runtime.
    registry = prometheus_client.CollectorRegistry()
    registry.register(SensorCollector(status))
    prometheus_client.ProcessCollector(registry=registry)
    pages: dict[str, tuple[str, Callable[[], bytes]]] = {
        "/metrics": (prometheus_client.CONTENT_TYPE_LATEST, lambda: prometheus_client.generate_latest(registry)),
        "/status": ("application/json", lambda: msgspec.json.encode(status())),
        "/healthz": ("text/plain", lambda: b"ok\n"),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in pages:
                self.send_error(HTTPStatus.NOT_FOUND, f"expected one of {', '.join(pages)}")
                return
            kind, body = pages[self.path]
            content = body()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Do not log requests."""

    return Handler
