"""Service-account tokens, signed by real keys: who may vouch for a node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from driftline.errors import InvalidInput, Unauthenticated
from driftline.server.accounts import Account, ClusterKeys, KeySetReviewer
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


def test_a_token_names_its_node() -> None:
    assert reviewer().review(token(CLAIMS)) == Account("c", "n1", SUBJECT)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"exp": NOW.timestamp() - 3600}, "expired"),
        ({"aud": ["other"]}, "aud"),
        ({"iss": "https://other"}, "iss"),
        ({"sub": "system:serviceaccount:default:default"}, "sub"),
        ({"kubernetes.io": {}}, "it names no node"),
        ({"kubernetes.io": {"node": {"name": 7}}}, "it names no node"),
    ],
)
def test_a_token_that_does_not_hold_says_why(change: dict[str, Any], words: str) -> None:
    with pytest.raises(Unauthenticated, match=words):
        reviewer().review(token(CLAIMS | change))


def test_a_token_signed_by_another_key_is_refused() -> None:
    forged = token(CLAIMS, OTHER)
    unsigned = "eyJhbGciOiJub25lIn0." + token(CLAIMS).split(".")[1] + "."
    for bad in (forged, unsigned, "x", "a.b.c", "x" * 20_000):
        with pytest.raises(Unauthenticated):
            reviewer().review(bad)


def test_keys_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidInput, match="expected a JSON Web Key Set"):
        KeySetReviewer([ClusterKeys("c", "i", "a", "s", {"keys": [{"kty": "x"}]})], now=lambda: NOW)
