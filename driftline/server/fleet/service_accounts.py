"""Kubernetes service-account tokens: who vouches for a sensor's node in a cluster.

A token that is bound to a pod names the pod's node (``kubernetes.io.node``, since Kubernetes
1.32: "ServiceAccountTokenPodNodeInfo"), signed by the cluster. A ``Reviewer`` says whether a
token holds; ``KeySetReviewer`` verifies its signature with the cluster's public keys, given by
configuration (``kubectl get --raw /openid/v1/jwks``), so that the server needs no access to the
cluster. What it cannot see, and TokenReview could: that the pod was deleted meanwhile.
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

_ALGORITHMS = ["RS256", "ES256", "ES384", "EdDSA"]
_TOKEN_MAX = 16_384
_LEEWAY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Account:
    """For whom a token speaks: a service account on a node of a cluster."""

    cluster: str
    node: str
    subject: str


class Reviewer(Protocol):
    """Says whose a service-account token is."""

    def review(self, token: str) -> Account:
        """Give the account; raises ``Unauthenticated`` for a token that does not hold."""


@dataclass(frozen=True, slots=True)
class ClusterKeys:
    """How the tokens of one cluster's sensors are known."""

    cluster: str
    issuer: str
    audience: str
    subject: str
    """``system:serviceaccount:NAMESPACE:NAME`` of the sensor's DaemonSet."""
    keys: dict[str, Any]
    """JSON Web Key Set of the cluster."""


class KeySetReviewer:
    """Verifies tokens with the clusters' public keys."""

    def __init__(self, clusters: Sequence[ClusterKeys], *, now: Callable[[], datetime.datetime]) -> None:
        """Take the clusters' keys; raises ``InvalidInput`` for a set that is none."""
        self._now = now
        self._clusters = {(cluster.issuer, cluster.audience): (cluster, _key_set(cluster)) for cluster in clusters}

    def review(self, token: str) -> Account:
        """Give the account; raises ``Unauthenticated``."""
        if len(token) > _TOKEN_MAX:
            raise Unauthenticated("expected a service-account token, got something longer")
        problem = "no cluster whose tokens are accepted has signed it"
        for cluster, keys in self._clusters.values():
            try:
                claims = jwt.decode(token, keys, algorithms=_ALGORITHMS).claims
            except (JoseError, ValueError):
                continue
            found = self._account(cluster, claims)
            if isinstance(found, Account):
                return found
            problem = found
        raise Unauthenticated(f"the service-account token does not hold: {problem}")

    # The account, or what is wrong.
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
            return "it names no node (kubernetes.io.node); Kubernetes does since 1.32"
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
            f"the keys of the cluster {cluster.cluster!r}: expected a JSON Web Key Set: {error}"
        ) from error
