"""Authentication of sensors by Kubernetes service-account tokens, which prove cluster and node.

A token that is bound to a pod names the pod's node in the claim ``kubernetes.io.node`` (feature
"ServiceAccountTokenPodNodeInfo", stable since Kubernetes 1.32), and the cluster signs it. ``KeySetReviewer`` verifies
the signature with the cluster's public keys, which the settings name (``kubectl get --raw /openid/v1/jwks``), so the
server needs no access to the cluster. Unlike the TokenReview API it cannot see that the pod was deleted.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from driftline.errors import InvalidInput, Unauthenticated

__all__ = ["Account", "ClusterKeys", "KeySetReviewer", "Reviewer"]

# Asymmetric signatures only: with HS256 the public key itself could serve as the secret of a forged token (RFC 8725,
# section 2.1).
_ALGORITHMS = ["RS256", "ES256", "ES384", "EdDSA"]
_TOKEN_MAX = 16_384
_LEEWAY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Account:
    """The holder of a token: a service account on a node of a cluster."""

    cluster: str
    node: str
    subject: str


class Reviewer(Protocol):
    """A verifier of service-account tokens."""

    def review(self, token: str) -> Account:
        """Return the account of a token; raises ``Unauthenticated`` for an invalid token."""


@dataclass(frozen=True, slots=True)
class ClusterKeys:
    """Issuer, audience, subject and keys that the tokens of one cluster's sensors must have."""

    cluster: str
    issuer: str
    audience: str
    subject: str
    """``system:serviceaccount:NAMESPACE:NAME`` of the sensor's DaemonSet."""
    keys: dict[str, Any]
    """JSON Web Key Set of the cluster."""


class KeySetReviewer:
    """Verifies tokens with the public keys of the clusters. Thread-safe."""

    def __init__(self, clusters: Sequence[ClusterKeys], *, now: Callable[[], datetime.datetime]) -> None:
        """Import the key sets of the clusters; raises ``InvalidInput`` for an invalid one. ``now`` returns UTC."""
        self._now = now
        self._clusters = {(cluster.issuer, cluster.audience): (cluster, _key_set(cluster)) for cluster in clusters}

    def review(self, token: str) -> Account:
        """Return the account of a token; raises ``Unauthenticated`` with the reason of the last cluster that signed it.

        The keys of every cluster are tried: the claims of a token, its issuer included, are untrusted until then.
        """
        if len(token) > _TOKEN_MAX:
            raise Unauthenticated("expected a service-account token of at most 16,384 characters")
        problem = "it is not signed by a cluster whose tokens are accepted"
        for cluster, keys in self._clusters.values():
            try:
                claims = jwt.decode(token, keys, algorithms=_ALGORITHMS).claims
            except (JoseError, ValueError):
                continue
            found = self._account(cluster, claims)
            if isinstance(found, Account):
                return found
            problem = found
        raise Unauthenticated(f"invalid service-account token: {problem}")

    # Returns the account, or the reason of the refusal.
    def _account(self, cluster: ClusterKeys, claims: dict[str, Any]) -> Account | str:
        now = int(self._now().timestamp())
        registry = jwt.JWTClaimsRegistry(
            now=now,
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": cluster.issuer},
            aud={"essential": True, "value": cluster.audience},
            sub={"essential": True, "value": cluster.subject},
            exp={"essential": True},
        )
        try:
            registry.validate(claims)
        except JoseError as error:
            return str(error)
        node = _node(claims)
        if not node:
            return "it has no claim kubernetes.io.node, which Kubernetes adds since 1.32"
        return Account(cluster.cluster, node, cluster.subject)


def _node(claims: dict[str, Any]) -> str:
    about = claims.get("kubernetes.io")
    node = about.get("node") if isinstance(about, dict) else None
    name = node.get("name") if isinstance(node, dict) else None
    return name if isinstance(name, str) else ""


def _key_set(cluster: ClusterKeys) -> KeySet:
    try:
        return KeySet.import_key_set(cluster.keys)  # type: ignore[arg-type] # a JSON object, checked here
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"keys of the cluster {cluster.cluster!r}: expected a JSON Web Key Set (RFC 7517): {error}"
        ) from error
