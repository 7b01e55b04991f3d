"""Running the server: its socket, TLS, and a graceful stop."""

from __future__ import annotations

import logging
import signal
import socket
import ssl
from types import FrameType
from typing import Any

import uvicorn

from driftline.errors import DriftlineError, InvalidInput
from driftline.private_files import keep_private, tighten
from driftline.server.app import create_app
from driftline.server.fleet import assembly
from driftline.server.http import log as logs
from driftline.server.http.connections import Bounds, Connection, Connections, raise_file_limit
from driftline.server.http.listener import Acceptor, BoundedProtocol
from driftline.server.http.metrics import Metrics
from driftline.server.http.parts import find
from driftline.server.settings import Settings
from driftline.server.signals import Hub

__all__ = ["serve"]

_STATE_FILES = ("state.db*", "sensors.db*", "pki")
log = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then wait for open requests up to the setting ``shutdown_seconds``.

    Raises ``InvalidInput`` for unusable settings, ``StateError``, and ``DriftlineError`` if the start failed for a
    reason that is in the log.
    """
    logs.configure(settings.log_level, settings.log_format)
    keep_private()
    if settings.data.exists():
        tighten(settings.data, _STATE_FILES)
    app = create_app(settings)
    server = _Server(_config(app, settings), find(app, Hub), Connections(_bounds(settings), find(app, Metrics)))
    with _listen(settings) as listener:
        log.info("listening on %s", _url(settings, listener))
        server.run(sockets=[listener])
    if not server.started:
        raise DriftlineError("the server could not start; see its log")


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, hub: Hub, connections: Connections) -> None:
        super().__init__(config)
        self._hub = hub
        self._connections = connections

    # Without sockets, uvicorn starts the application and listens nowhere.
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        context = self.config.ssl
        for listener in sockets or ():
            acceptor = Acceptor(listener, self._connections, self._protocol, context=context)
            self.servers.append(acceptor)  # type: ignore[arg-type] # has the two methods that uvicorn calls

    def _protocol(self, connection: Connection) -> BoundedProtocol:
        return BoundedProtocol(
            connection=connection,
            connections=self._connections,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )

    # uvicorn waits for open responses before it ends the app's lifespan, so live streams are ended here; otherwise they
    # would delay the stop until its timeout. uvicorn's own handler would also raise the signal again at the end, and a
    # graceful stop would look like a process killed by a signal.
    def handle_exit(self, sig: int, _frame: FrameType | None) -> None:
        self._hub.close()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def _bounds(settings: Settings) -> Bounds:
    total = raise_file_limit(settings.connections)
    if total < settings.connections:
        log.warning("the limit of open files allows %d connections; the setting is %d", total, settings.connections)
    return Bounds(
        total=total,
        per_client=settings.connections_per_address,
        header_seconds=settings.header_seconds,
        body_seconds=settings.body_seconds,
    )


def _config(app: Any, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        **_tls(settings),
    )


def _tls(settings: Settings) -> dict[str, Any]:
    if settings.tls_certificate and settings.tls_key is None:
        raise InvalidInput("tls_key: expected the private key of tls_certificate")
    if settings.sensor_names:
        return assembly.uvicorn_options(settings)
    if settings.tls_certificate is None:
        return {}
    found: dict[str, Any] = {"ssl_certfile": settings.tls_certificate, "ssl_keyfile": settings.tls_key}
    if settings.tls_client_ca:
        found |= {"ssl_ca_certs": str(settings.tls_client_ca), "ssl_cert_reqs": ssl.CERT_OPTIONAL}
    return found


def _listen(settings: Settings) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise InvalidInput(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}") from error


def _url(settings: Settings, listener: socket.socket) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    has_tls = settings.tls_certificate or settings.sensor_names
    return f"{'https' if has_tls else 'http'}://{host}:{listener.getsockname()[1]}"
