"""Running the server: its socket, TLS, and a graceful stop."""

from __future__ import annotations

import contextlib
import functools
import logging
import signal
import socket
import ssl
from collections.abc import Iterator
from types import FrameType
from typing import Any

import uvicorn

from driftline.errors import DriftlineError, InvalidInput
from driftline.private_files import keep_private, tighten
from driftline.server.app import create_app, start_error
from driftline.server.clock import utc_now
from driftline.server.fleet import assembly
from driftline.server.http import log as logs
from driftline.server.http import tls
from driftline.server.http.connections import Bounds, Connection, Connections, raise_file_limit
from driftline.server.http.listener import Acceptor, BoundedProtocol
from driftline.server.http.live_certificate import LiveCertificate
from driftline.server.http.metrics import Metrics
from driftline.server.http.parts import find
from driftline.server.settings import Settings
from driftline.server.signals import Hub

__all__ = ["serve"]

_TICKS = 50  # of 0.1 s
_STATE_FILES = ("state.db*", "sensors.db*", "pki")
log = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then wait for open requests up to the setting ``shutdown_seconds``.

    Raises ``InvalidInput`` for unusable settings, ``StateError``, ``StoreError``, and ``DriftlineError`` if the
    start failed for a reason that is in the log.
    """
    logs.configure(settings.log_level, settings.log_format)
    keep_private()
    if settings.data.exists():
        tighten(settings.data, _STATE_FILES)
    app = create_app(settings)
    connections = Connections(_bounds(settings), find(app, Metrics))
    server = _Server(_config(app, settings), settings, find(app, Hub), connections)
    with _listen(settings) as listener:
        log.info("listening on %s", _url(settings, listener))
        try:
            server.run(sockets=[listener])
        except SystemExit as error:  # the start failed
            raise start_error(app) or DriftlineError("the server could not start; see its log") from error


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, settings: Settings, hub: Hub, connections: Connections) -> None:
        super().__init__(config)
        self._settings = settings
        self._certificate: LiveCertificate | None = None
        self._hub = hub
        self._connections = connections

    # Without sockets, uvicorn starts the application and listens nowhere.
    async def on_tick(self, counter: int) -> bool:
        if self._certificate and counter % _TICKS == 0:
            self._certificate.refresh()
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        with _mute("uvicorn.error"):
            await super().startup(sockets=[])
        context = self.config.ssl
        self._certificate = _live_certificate(self._settings, context) if context else None
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


# An error of the start is raised again by ``serve``; Starlette and uvicorn would log it as well, with two tracebacks.
@contextlib.contextmanager
def _mute(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = False


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


def _live_certificate(settings: Settings, context: ssl.SSLContext) -> LiveCertificate:
    trusted = assembly.trusted_authorities(settings) if settings.sensor_names else str
    if settings.tls_certificate and settings.tls_key:
        files = settings.tls_certificate, settings.tls_key
        return LiveCertificate(context, *files, authorities=trusted, now=utc_now)
    files = tls.own_files(settings.data / "pki")
    renew = functools.partial(assembly.renew_certificate, settings)
    return LiveCertificate(context, *files, renew=renew, authorities=trusted, now=utc_now)


def _listen(settings: Settings) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise InvalidInput(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}") from error


def _url(settings: Settings, listener: socket.socket) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{'https' if settings.speaks_tls else 'http'}://{host}:{listener.getsockname()[1]}"
