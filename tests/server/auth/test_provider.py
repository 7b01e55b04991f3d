"""Validation of ID tokens."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from driftline.errors import ServerUnreachable, Unauthenticated
from driftline.server.auth.provider import Provider, check_id_token
from tests.server.serving import free_port

NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
STAMP = int(NOW.timestamp())
KEY = ECKey.generate_key("P-256", {"kid": "1"})
OTHER = ECKey.generate_key("P-256", {"kid": "1"})
KEYS = KeySet([KEY]).as_dict(private=False)
CLAIMS: dict[str, Any] = {"iss": "https://idp", "aud": "driftline", "sub": "ada", "nonce": "n", "iat": STAMP,
                          "exp": STAMP + 300}  # fmt: skip


def signed(claims: dict[str, Any], key: Any = KEY, algorithm: str = "ES256") -> str:
    return str(jwt.encode({"alg": algorithm, "kid": "1"}, claims, key, algorithms=[algorithm]))


def check(token: str) -> str:
    claims = check_id_token(token, KEYS, issuer="https://idp", client_id="driftline", nonce="n", now=NOW)
    return str(claims["sub"])


def test_a_valid_token_returns_its_claims() -> None:
    assert check(signed(CLAIMS)) == "ada"


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://other"},
        {"aud": "other"},
        {"nonce": "other"},
        {"exp": STAMP - 61},
        {"azp": "other"},
        {"sub": None},
        {"iat": STAMP + 3600},
    ],
)
def test_a_wrong_claim_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        check(signed(CLAIMS | change))


@pytest.mark.parametrize("missing", ["iss", "aud", "nonce", "exp", "iat", "sub"])
def test_a_missing_claim_is_refused(missing: str) -> None:
    with pytest.raises(Unauthenticated):
        check(signed({name: value for name, value in CLAIMS.items() if name != missing}))


def test_a_signature_by_another_key_is_refused() -> None:
    with pytest.raises(Unauthenticated):
        check(signed(CLAIMS, OTHER))


def test_a_signature_with_the_client_secret_is_refused() -> None:
    with pytest.raises(Unauthenticated):
        check(signed(CLAIMS, OctKey.import_key("driftline-client-secret-of-32-bytes"), "HS256"))


@pytest.mark.parametrize("token", ["", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.", "\u00e9"])
def test_a_token_without_a_valid_signature_is_refused(token: str) -> None:
    with pytest.raises(Unauthenticated):
        check(token)


def test_an_unreachable_provider_is_an_error() -> None:
    provider = Provider(
        issuer=f"http://127.0.0.1:{free_port()}", client_id="c", client_secret="s", redirect_uri="http://here"
    )

    with pytest.raises(ServerUnreachable, match="no answer from the OpenID provider"):
        provider.login_url(state="s", nonce="n", verifier="v", scopes=("openid",))
