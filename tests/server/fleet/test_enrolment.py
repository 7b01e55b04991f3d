"""Enrolment over TLS: a join token is exchanged for a certificate once, in time, for its node."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from driftline import wire
from driftline.server import pki
from driftline.server.state import sensors
from driftline.wire.protocol import AUTHORITY_PATH, ENROL_PATH, RENEW_PATH, JoinToken
from tests.server.gateways import Served, new_key, now, request_for, send
from tests.wire import making

BATCH = wire.encode(making.events("a"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    running = Served(tmp_path_factory.mktemp("server"))
    yield running
    running.stop()


def body(token: JoinToken, **changes: Any) -> dict[str, Any]:
    said = {"csr": request_for(new_key()), "node": "n1", "token": token.text(), "time": now().isoformat()}
    return said | changes


def refused(served: Served, said: dict[str, Any], status: int, words: str) -> None:
    with served.client() as http:
        answer = http.post(ENROL_PATH, json=said)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text


def test_the_authority_has_the_fingerprint_of_the_token(served: Served) -> None:
    with served.client() as http:
        assert pki.fingerprint(http.get(AUTHORITY_PATH).text) == served.token().fingerprint


def test_a_certificate_names_sensor_cluster_and_node(served: Served) -> None:
    client = served.enrolled("n-named")
    identity, _ = pki.identity_of(ssl.PEM_cert_to_DER_cert(client.said["certificate"]))

    assert identity == pki.Identity(client.said["sensor"], "c", "n-named")
    assert datetime.datetime.fromisoformat(client.said["renew_after"]) < datetime.datetime.fromisoformat(
        client.said["expires"]
    )


def test_a_join_token_is_accepted_for_one_key(served: Served) -> None:
    token = served.token(node="n1")
    first = body(token)
    with served.client() as http:
        sensors = {http.post(ENROL_PATH, json=first).json()["sensor"] for _ in range(2)}  # its answer was lost

    assert len(sensors) == 1
    refused(served, body(token), 401, "was used already")


def test_an_expired_or_unknown_join_token_is_refused(served: Served) -> None:
    refused(served, body(served.token(minutes=-1)), 401, "the join token expired at")
    refused(served, body(JoinToken.make("0" * 64)), 401, "not known to this server")
    refused(served, body(served.token()) | {"token": "x"}, 400, "expected the complete text dlj1.ID.SECRET.FINGERPRINT")
    refused(served, body(served.token()) | {"token": ""}, 401, "expected a join token")


def test_a_join_token_of_another_node_is_refused(served: Served) -> None:
    refused(served, body(served.token(node="other")), 403, "is for the node 'other', not 'n1'")


def test_a_join_token_of_the_cluster_cannot_replace_an_active_sensor(served: Served) -> None:
    served.enrolled("n-lives")
    refused(served, body(served.token(), node="n-lives"), 409, "has an active sensor")


def test_a_join_token_of_the_node_replaces_its_sensor(served: Served) -> None:
    former = served.enrolled("n-twice")
    served.enrolled("n-twice")
    with former.http() as http:
        answer = send(http, BATCH, 1)

    assert (answer.status_code, "revoked: replaced by" in answer.text) == (401, True)


@pytest.mark.parametrize("change", [datetime.timedelta(days=365), datetime.timedelta(days=-365)])
def test_a_clock_a_year_off_is_refused(served: Served, change: datetime.timedelta) -> None:
    refused(served, body(served.token(), time=(now() + change).isoformat()), 409, "correct the wrong one")


def test_an_invalid_certificate_request_is_refused(served: Served) -> None:
    refused(served, body(served.token(), csr="x"), 400, "expected a PKCS #10 request")


def test_a_certificate_is_renewed_with_a_new_key(served: Served) -> None:
    client = served.enrolled("n-renews")
    client_key = new_key()
    with client.http() as http:
        said = http.post(RENEW_PATH, json={"csr": request_for(client_key)}).raise_for_status().json()
    assert said["certificate"] != client.said["certificate"]
    client.said, client.key = said, client_key
    with client.http() as http:
        rows = wire.table("CloudProcessEvents", [making.event(node="n-renews")])
        assert send(http, wire.encode({"CloudProcessEvents": rows}), 1).status_code == 200


def test_a_revoked_sensor_is_refused(served: Served) -> None:
    client = served.enrolled("n-revoked")
    with served.state.writing() as session:
        sensors.revoke(session, client.said["sensor"], reason="stolen", now=now())
    with client.http() as http:
        answer = send(http, BATCH, 1)

    assert (answer.status_code, "the sensor was revoked: stolen" in answer.text) == (401, True)


def test_a_batch_without_a_certificate_is_refused(served: Served) -> None:
    with served.client() as http:
        answer = send(http, BATCH, 1)

    assert (answer.status_code, "expected a sensor's client certificate" in answer.text) == (401, True)


def test_a_certificate_of_another_authority_ends_the_handshake(
    served: Served, tmp_path_factory: pytest.TempPathFactory
) -> None:
    client = served.enrolled("n-other")
    other = pki.open_authority(tmp_path_factory.mktemp("pki"), now=now())
    identity = pki.Identity(client.said["sensor"], "c", "n-other")
    client.said["certificate"] = other.sign_sensor(request_for(client.key), identity, now=now()).pem
    with client.http() as http, pytest.raises(httpx.TransportError):
        send(http, BATCH, 1)


def test_an_expired_certificate_ends_the_handshake(served: Served) -> None:
    client = served.enrolled("n-ended")
    authority = pki.open_authority(served.directory / "pki", now=now())
    identity = pki.Identity(client.said["sensor"], "c", "n-ended")
    past = now() - datetime.timedelta(days=60)
    client.said["certificate"] = authority.sign_sensor(request_for(client.key), identity, now=past).pem
    with client.http() as http, pytest.raises(httpx.TransportError):
        send(http, BATCH, 1)


def test_a_certificate_that_is_not_in_the_state_is_refused(served: Served) -> None:
    client = served.enrolled("n-unknown")
    authority = pki.open_authority(served.directory / "pki", now=now())
    identity = pki.Identity(client.said["sensor"], "c", "n-unknown")
    client.said["certificate"] = authority.sign_sensor(request_for(client.key), identity, now=now()).pem
    with client.http() as http:
        assert "not known to this server" in send(http, BATCH, 1).text
