"""Service-account tokens, signed with real keys."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from driftline.errors import InvalidInput, Unauthenticated
from driftline.server.fleet.service_accounts import Account, ClusterKeys, KeySetReviewer
from tests.server import serving
from tests.server.gateways import new_key, request_for
from tests.wire.making import NOW

KEY, OTHER = (ECKey.generate_key("P-256", {"kid": name}) for name in ("one", "two"))
SUBJECT = "system:serviceaccount:driftline:sensor"
CLAIMS = {
    "iss": "https://cluster", "aud": ["driftline"], "sub": SUBJECT, "exp": NOW.timestamp() + 3600,
    "kubernetes.io": {"node": {"name": "n1"}},
}  # fmt: skip


def reviewer(key: ECKey = KEY) -> KeySetReviewer:
    keys: Any = KeySet([key]).as_dict(private=False)
    cluster = ClusterKeys("c", "https://cluster", "driftline", SUBJECT, keys)
    return KeySetReviewer([cluster], now=lambda: NOW)


def token(claims: Mapping[str, Any], key: ECKey = KEY) -> str:
    return jwt.encode({"alg": "ES256", "kid": key.kid}, dict(claims), key)


def test_a_service_account_token_names_its_node() -> None:
    assert reviewer().review(token(CLAIMS)) == Account("c", "n1", SUBJECT)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"exp": NOW.timestamp() - 3600}, "expired"),
        ({"aud": ["other"]}, "aud"),
        ({"iss": "https://other"}, "iss"),
        ({"sub": "system:serviceaccount:default:default"}, "sub"),
        ({"kubernetes.io": {}}, "it has no claim kubernetes.io.node"),
        ({"kubernetes.io": {"node": {"name": 7}}}, "it has no claim kubernetes.io.node"),
    ],
)
def test_an_invalid_service_account_token_is_refused_with_the_reason(change: dict[str, Any], words: str) -> None:
    with pytest.raises(Unauthenticated, match=words):
        reviewer().review(token(CLAIMS | change))


def test_a_token_signed_by_another_key_is_refused() -> None:
    forged = token(CLAIMS, OTHER)
    unsigned = "eyJhbGciOiJub25lIn0." + token(CLAIMS).split(".")[1] + "."
    for bad in (forged, unsigned, "x", "a.b.c", "x" * 20_000):
        with pytest.raises(Unauthenticated):
            reviewer().review(bad)


def test_an_invalid_key_set_is_refused() -> None:
    with pytest.raises(InvalidInput, match="expected a JSON Web Key Set"):
        KeySetReviewer([ClusterKeys("c", "i", "a", "s", {"keys": [{"kty": "x"}]})], now=lambda: NOW)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Served]:
    directory = tmp_path_factory.mktemp("server")
    keys = directory / "jwks.json"
    keys.write_text(json.dumps(KeySet([KEY]).as_dict(private=False)))
    setting = f"service_accounts=[{{cluster: c, issuer: 'https://cluster', subject: '{SUBJECT}', keys: {keys}}}]"
    with serving.serve(directory, "--set", setting, sensors=True) as running:
        yield running


def enrol(served: serving.Served, node: str, **change: Any) -> httpx.Response:
    now = datetime.datetime.now(datetime.UTC)
    claims = CLAIMS | {"exp": now.timestamp() + 600} | change
    body = {"csr": request_for(new_key()), "node": node, "time": now.isoformat()}
    return served.anonymous().post("/enrol", json=body, headers={"Authorization": f"Bearer {token(claims)}"})


def test_a_pod_enrols_as_the_node_in_its_token(served: serving.Served) -> None:
    answer = enrol(served, "the-name-it-gives-itself")

    assert (answer.status_code, answer.json()["cluster"], answer.json()["node"]) == (200, "c", "n1")


def test_a_pod_of_another_service_account_is_refused(served: serving.Served) -> None:
    answer = enrol(served, "n1", sub="system:serviceaccount:default:default")

    assert (answer.status_code, "invalid service-account token" in answer.json()["detail"]) == (401, True)


def test_missing_keys_of_service_accounts_stop_the_start(tmp_path: Path) -> None:
    setting = "service_accounts=[{cluster: c, issuer: i, keys: /none}]"
    process = serving.start(tmp_path, "--set", "sensor_names=localhost", "--set", setting)

    assert process.wait(60) != 0
    assert "the keys of c in /none" in (tmp_path / "log").read_text()
