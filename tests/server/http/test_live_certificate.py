"""The server's certificate while it runs, on real handshakes."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from pathlib import Path

import pytest

from driftline.server import pki
from driftline.server.http import tls
from driftline.server.http.live_certificate import LiveCertificate, is_due
from tests.server.gateways import now

DAY = datetime.timedelta(days=1)


class Server:
    """A TLS context with the server's own certificate, and the serial number that its handshakes show."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.now = now()
        self.authority = pki.open_authority(directory, now=now())
        self.issue()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*tls.own_files(directory))
        self.live = LiveCertificate(self.context, *tls.own_files(directory), renew=self.issue, now=lambda: self.now)

    def issue(self) -> None:
        tls.issue_own(self.directory, self.authority, ["localhost"], now=self.now)

    def serial(self) -> str:
        trust = ssl.create_default_context(cadata=self.authority.pem)
        ours, theirs = socket.socketpair()
        thread = threading.Thread(target=self._answer, args=(theirs,))
        thread.start()
        with trust.wrap_socket(ours, server_hostname="localhost") as client:
            found = client.getpeercert()
        thread.join()
        assert found
        return str(found["serialNumber"])

    def _answer(self, theirs: socket.socket) -> None:
        with self.context.wrap_socket(theirs, server_side=True) as server:
            server.recv(1)


def test_replaced_files_are_used_for_further_handshakes(tmp_path: Path) -> None:
    server = Server(tmp_path)
    first = server.serial()
    assert (server.live.refresh(), server.serial()) == (False, first)
    server.issue()

    assert (server.live.refresh(), server.serial() == first) == (True, False)


def test_files_that_do_not_belong_together_leave_the_certificate_in_use(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(tmp_path)
    first = server.serial()
    certificate, key = tls.own_files(tmp_path)
    old = key.read_bytes()
    server.issue()
    new = key.read_bytes()
    for data in (old, b"nonsense", old):
        key.write_bytes(data)
        assert (server.live.refresh(), server.serial()) == (False, first)
    key.unlink()
    assert (server.live.refresh(), server.serial()) == (False, first)
    assert all("goes on with its present certificate" in message for message in caplog.messages)
    key.write_bytes(new)

    assert (server.live.refresh(), server.serial() == first) == (True, False)
    assert certificate.exists()


def test_the_own_certificate_is_renewed_after_two_thirds_of_its_life(tmp_path: Path) -> None:
    server = Server(tmp_path)
    first = server.serial()
    server.now += 240 * DAY
    assert not server.live.refresh()
    server.now += 5 * DAY
    pem = tls.own_files(tmp_path)[0].read_bytes()

    assert is_due(pem, server.now)
    assert server.live.refresh()
    assert tls.own_files(tmp_path)[0].read_bytes() != pem
    assert not server.live.refresh()
    assert first
