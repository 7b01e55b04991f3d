"""TLS as the server speaks it: client certificates asked for, and shown to the application.

uvicorn verifies a client's certificate but does not hand it on (ASGI's TLS extension is not in
it), so a connection's protocol puts it into the scope as that extension says, and takes out
nothing a client could have put there: the scope is the server's own. Considered: Hypercorn, which
has the extension, but would be a second server to know; a proxy in front and a header, which
whoever reaches the port could forge.

A certificate is asked for and not required, for people use the same port with none. One of
another authority, or one that is expired, ends the handshake.
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

__all__ = ["PeerProtocol", "own_options", "peer_certificate", "uvicorn_options"]


KEEP_ALIVE_SECONDS = 75
"""Longer than sensors are silent, and than they keep a connection: each handshake costs both sides."""


class PeerProtocol(HttpToolsProtocol):
    """One connection, whose requests carry the client's certificate."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        super().connection_made(transport)
        found = transport.get_extra_info("ssl_object")
        certificate = found.getpeercert(binary_form=True) if found else None
        if certificate:
            self.app = _with_peer(self.app, certificate)


def _with_peer(app: Any, certificate: bytes) -> Any:
    chain = [ssl.DER_cert_to_PEM_cert(certificate)]

    async def with_peer(scope: Any, receive: Any, send: Any) -> None:
        extensions = {**scope.get("extensions", {}), "tls": {"client_cert_chain": chain, "client_cert_error": None}}
        await app({**scope, "extensions": extensions}, receive, send)

    return with_peer


def peer_certificate(scope: Any) -> bytes | None:
    """Give the verified certificate of who sent a request, as DER; ``None`` if it sent none."""
    chain = scope.get("extensions", {}).get("tls", {}).get("client_cert_chain", ())
    return ssl.PEM_cert_to_DER_cert(chain[0]) if chain else None


def uvicorn_options(certificate: Path, key: Path, client_authority: str) -> dict[str, Any]:
    """Give what ``uvicorn.Config`` needs: server certificate and key, and who signs the clients' (PEM)."""

    def factory(_: uvicorn.Config, __: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        return _context(certificate, key, client_authority)

    return {"http": PeerProtocol, "ssl_context_factory": factory, "timeout_keep_alive": KEEP_ALIVE_SECONDS}


def own_options(
    directory: Path, authority: Authority, names: Sequence[str], *, now: datetime.datetime
) -> dict[str, Any]:
    """Give ``uvicorn_options`` for a certificate of the server's own authority, made anew in ``directory``.

    ``names`` are the host names and addresses that sensors and people reach the server by.
    """
    paths = (directory / "server.pem", directory / "server.key")
    for path, text in zip(paths, authority.issue_server(names, now=now), strict=True):
        replace_file(path, text.encode())
    return uvicorn_options(*paths, authority.pem)


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
