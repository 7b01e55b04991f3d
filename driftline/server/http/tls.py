"""TLS of the server: client certificates are requested, and passed to the application.

uvicorn verifies a client's certificate but does not pass it on: it does not implement the TLS extension of ASGI
(https://asgi.readthedocs.io/en/latest/specs/tls.html). ``PeerProtocol`` puts the certificate into the scope as that
extension specifies; the scope is made by the server, so a client cannot forge it. Rejected: Hypercorn, which has the
extension, because it would be a second HTTP server to know; and a proxy that sets a header, because every client that
reaches the port directly could forge the header.

A certificate is requested but not required, because users reach the same port without one. A certificate of another
authority, or an expired one, ends the handshake.
"""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from driftline.atomic_file import replace_file
from driftline.errors import InvalidInput
from driftline.server.pki import Authority

__all__ = ["PeerProtocol", "issue_own", "own_files", "own_options", "peer_certificate", "uvicorn_options"]


KEEP_ALIVE_SECONDS = 75
"""Seconds for which an idle connection is kept.

Longer than sensors pause, and than they keep a connection themselves, because each handshake costs both sides.
"""


class PeerProtocol(HttpToolsProtocol):
    """A connection of uvicorn whose requests have the client's certificate in their scope."""

    certificate: bytes | None = None
    """Certificate of the client, DER, that TLS has verified; ``None`` without one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        super().connection_made(transport)
        found = transport.get_extra_info("ssl_object")
        self.certificate = found.getpeercert(binary_form=True) if found else None
        if self.certificate:
            self.app = _with_peer(self.app, self.certificate)


def _with_peer(app: Any, certificate: bytes) -> Any:
    chain = [ssl.DER_cert_to_PEM_cert(certificate)]

    async def with_peer(scope: Any, receive: Any, send: Any) -> None:
        extensions = {**scope.get("extensions", {}), "tls": {"client_cert_chain": chain, "client_cert_error": None}}
        await app({**scope, "extensions": extensions}, receive, send)

    return with_peer


def peer_certificate(scope: Any) -> bytes | None:
    """Return the verified client certificate in a request's ASGI scope, as DER; ``None`` without one."""
    chain = scope.get("extensions", {}).get("tls", {}).get("client_cert_chain", ())
    return ssl.PEM_cert_to_DER_cert(chain[0]) if chain else None


def uvicorn_options(certificate: Path, key: Path, client_authority: str) -> dict[str, Any]:
    """Return the options of ``uvicorn.Config`` for TLS that requests client certificates.

    ``certificate`` and ``key`` are PEM files of the server; ``client_authority`` has the certificates, PEM, of the
    authorities of the clients. The handshake context is made later and raises ``InvalidInput`` for unreadable files.
    """

    def factory(_: uvicorn.Config, __: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        return _context(certificate, key, client_authority)

    return {"http": PeerProtocol, "ssl_context_factory": factory, "timeout_keep_alive": KEEP_ALIVE_SECONDS}


def own_options(
    directory: Path, authority: Authority, names: Sequence[str], *, now: datetime.datetime
) -> dict[str, Any]:
    """Return ``uvicorn_options`` for a new certificate of the server's own authority, written to ``directory``.

    ``names`` are the host names and IP addresses by which sensors and users reach the server; ``now`` is UTC.
    """
    issue_own(directory, authority, names, now=now)
    return uvicorn_options(*own_files(directory), authority.trusted_pem)


def own_files(directory: Path) -> tuple[Path, Path]:
    """Return the paths of the server's certificate by its own authority, and of its key."""
    return directory / "server.pem", directory / "server.key"


def issue_own(directory: Path, authority: Authority, names: Sequence[str], *, now: datetime.datetime) -> None:
    """Write a new certificate by the server's own authority, and its key, to ``directory``; ``now`` is UTC."""
    for path, text in zip(own_files(directory), authority.issue_server(names, now=now), strict=True):
        replace_file(path, text.encode())


def _context(certificate: Path, key: Path, client_authority: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_OPTIONAL
    try:
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(cadata=client_authority)
    except (OSError, ssl.SSLError) as error:
        raise InvalidInput(f"{certificate}, {key}: expected a certificate and its key in PEM: {error}") from error
    context.set_alpn_protocols(["http/1.1"])
    return context
