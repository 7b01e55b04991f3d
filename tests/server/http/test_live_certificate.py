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

    def __init__(self, directory: Path, *, days_ago: int = 0) -> None:
        self.directory = directory
        self.now = now() - days_ago * DAY
        self.authority = pki.open_authority(directory, now=self.now)
        self.issue()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*tls.own_files(directory))
        live = pki.LiveAuthority(directory, now=lambda: self.now)
        self.live = LiveCertificate(
            self.context,
            *tls.own_files(directory),
            renew=self.issue,
            authorities=lambda: live.current.trusted_pem,
            now=lambda: self.now,
        )

    def issue(self) -> None:
        authority = pki.open_authority(self.directory, now=self.now)
        tls.issue_own(self.directory, authority, ["localhost"], now=self.now)

    def serial(self, trusted: str = "") -> str:
        trust = ssl.create_default_context(cadata=trusted or self.authority.pem)
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


def test_a_replaced_authority_is_used_and_clients_of_both_trust_the_server(tmp_path: Path) -> None:
    server = Server(tmp_path)
    first = server.serial()
    new = pki.rotate(tmp_path, now=now())

    assert server.live.refresh()
    assert server.serial() == server.serial(new.pem) != first
    assert {each["serialNumber"] for each in server.context.get_ca_certs()} == {
        f"{each.serial_number:X}".zfill(40) for each in (new.certificate, server.authority.certificate)
    }


def test_after_the_overlap_the_server_has_a_certificate_of_the_new_authority_alone(tmp_path: Path) -> None:
    server = Server(tmp_path, days_ago=31)
    new = pki.rotate(tmp_path, now=server.now)
    assert server.live.refresh()
    during = tls.own_files(tmp_path)[0].read_text()
    server.now = now()

    assert server.live.refresh()
    assert server.serial(new.pem)
    assert (new.pem in during, new.pem in tls.own_files(tmp_path)[0].read_text()) == (False, True)


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
