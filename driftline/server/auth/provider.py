"""Client of an OpenID provider: discovery, exchange of the code, validation of the ID token.

It implements the authorization code flow with PKCE (RFC 7636) and a nonce (OpenID Connect Core 1.0,
section 3.1). Metadata and keys are fetched at each login and not cached: logins are rare, and a rotated key
takes effect at once.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from driftline.errors import ServerUnreachable, Unauthenticated

__all__ = ["Provider", "check_id_token"]

_TIMEOUT_SECONDS = 10.0
_LEEWAY_SECONDS = 60
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
"""Accepted signature algorithms: asymmetric ones only.

HS256 would be signed with the client's secret instead of a key of the provider; ``none`` is not signed at all.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An OpenID provider, and the registration of this server as its client."""

    issuer: str
    """Issuer URL, as in the claim ``iss``."""
    client_id: str
    client_secret: str
    redirect_uri: str
    """URL of this server to which the provider sends the browser back; registered at the provider."""

    def login_url(self, *, state: str, nonce: str, verifier: str, scopes: tuple[str, ...]) -> str:
        """Return the URL of the provider to send the browser to.

        ``state``, ``nonce`` and ``verifier`` are random values of this login, kept until the browser returns.
        Raises ``ServerUnreachable`` without valid metadata from the provider.
        """
        digest = hashlib.sha256(verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": " ".join(scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        endpoint = _text(self._metadata(), "authorization_endpoint")
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def claims(self, code: str, *, nonce: str, verifier: str, now: datetime.datetime) -> Mapping[str, Any]:
        """Exchange a code for an ID token, and return the token's claims.

        ``nonce`` and ``verifier`` are those of the login's URL. Raises ``Unauthenticated`` for a code or ID token
        that is invalid, ``ServerUnreachable`` without a valid response from the provider.
        """
        metadata = self._metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "client_id": self.client_id,
            "code_verifier": verifier,
        }
        answer = _request_json(
            "POST", _text(metadata, "token_endpoint"), data=form, auth=(self.client_id, self.client_secret)
        )
        keys = _request_json("GET", _text(metadata, "jwks_uri"))
        token = _text(answer, "id_token")
        return check_id_token(token, keys, issuer=self.issuer, client_id=self.client_id, nonce=nonce, now=now)

    def _metadata(self) -> Mapping[str, Any]:
        found = _request_json("GET", self.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if found.get("issuer") != self.issuer:
            raise ServerUnreachable(f"the OpenID provider calls itself {found.get('issuer')!r}, not {self.issuer!r}")
        return found


# The checks are those of OpenID Connect Core 1.0, section 3.1.3.7.
def check_id_token(
    token: str, keys: Any, *, issuer: str, client_id: str, nonce: str, now: datetime.datetime
) -> Mapping[str, Any]:
    """Return the claims of a valid ID token.

    Checks the signature by ``keys`` (a JSON Web Key Set), issuer, audience, authorized party, nonce and, with a
    tolerance of 60 seconds, the times. Raises ``Unauthenticated`` with the reason if a check fails.
    """
    registry = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=_LEEWAY_SECONDS,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        nonce={"essential": True, "value": nonce},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        claims: Mapping[str, Any] = jwt.decode(token, KeySet.import_key_set(keys), algorithms=_ALGORITHMS).claims
        registry.validate(dict(claims))
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise Unauthenticated(f"the provider's ID token is invalid: {error}") from error
    if claims.get("azp", client_id) != client_id:
        raise Unauthenticated("the provider's ID token was issued for another client")
    return claims


def _request_json(method: str, url: str, **more: Any) -> Mapping[str, Any]:
    try:
        answer = httpx.request(method, url, timeout=_TIMEOUT_SECONDS, **more)
        found = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise ServerUnreachable(f"no answer from the OpenID provider at {url}: {error}") from error
    if 400 <= answer.status_code < 500 and method == "POST":
        raise Unauthenticated("the OpenID provider refuses the code")
    if answer.is_error or not isinstance(found, dict):
        raise ServerUnreachable(f"the OpenID provider answers {answer.status_code} at {url}")
    return found


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str):
        raise ServerUnreachable(f"the OpenID provider's answer lacks {name}")
    return value
