"""The sensor's certificate on disk: renewal, reading, errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline import wire
from driftline.errors import InvalidInput
from driftline.sensor.shipping import credentials
from tests.server.gateways import Served, now, send
from tests.wire import making


def test_a_renewed_certificate_has_the_same_identity_and_a_new_key(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    served = Served(tmp_path / "server")
    try:
        first = credentials.enrol(tmp_path / "s", served.url, token=served.token().text(), node="n")
        before = first.certificate.read_text()
        second = credentials.renew(tmp_path / "s", served.url, first)
        with served.client(second.context()) as http:
            answer = send(http, wire.encode(making.events("a")), 1)
    finally:
        served.stop()

    assert (second.identity, answer.status_code) == (first.identity, 200)
    assert second.certificate.read_text() != before
    assert now() < second.renew_after < second.expires
    assert second.certificate.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in sorted((tmp_path / "s").iterdir())] == ["ca.pem", "sensor.pem"]


def test_a_file_without_a_certificate_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "sensor.pem").write_text("nonsense")
    with pytest.raises(InvalidInput, match="remove it to enrol again"):
        credentials.load(tmp_path)


def test_an_empty_directory_has_no_credentials(tmp_path: Path) -> None:
    assert credentials.load(tmp_path) is None
