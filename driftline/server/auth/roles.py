"""Roles, permissions and clusters; pure.

A permission is asked for by an endpoint, given by a role, and may be narrowed by a token's scopes,
which are permissions too. Where it holds, the clusters say.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from driftline.errors import Forbidden, NotFound

__all__ = ["ALL", "PERMISSIONS", "ROLES", "Permission", "Principal", "Role"]

ALL = "*"
"""Every cluster, those to come included."""

Role = Literal["viewer", "analyst", "admin"]
Permission = Literal[
    "alerts:read",
    "alerts:write",
    "events:read",
    "hunt",
    "policies:read",
    "policies:write",
    "sensors:read",
    "sensors:write",
    "users:read",
    "users:write",
    "audit:read",
]

PERMISSIONS: dict[Permission, tuple[Role, str]] = {
    "alerts:read": ("viewer", "see alerts and suppression rules"),
    "events:read": ("viewer", "see events as they come"),
    "hunt": ("viewer", "run KQL over the hunting tables"),
    "policies:read": ("viewer", "see policies, their versions, and which sensor runs which"),
    "sensors:read": ("viewer", "see sensors, their clusters and what is wrong with them"),
    "alerts:write": ("analyst", "change alerts and suppression rules"),
    "policies:write": ("admin", "change and roll back policies"),
    "sensors:write": ("admin", "make join tokens, revoke sensors"),
    "users:read": ("admin", "see users and their tokens"),
    "users:write": ("admin", "make, change and remove users"),
    "audit:read": ("admin", "see the audit trail"),
}
"""Each permission with the least role that has it, and what it lets do."""

ROLES: tuple[Role, ...] = ("viewer", "analyst", "admin")
"""From the least to the most; each may what the one before may (Security Reader, Operator, Admin)."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who asks, with everything they may."""

    user_id: str
    name: str
    role: Role
    clusters: tuple[str, ...]
    token_id: str = ""
    scopes: tuple[str, ...] = ()
    """The permissions the token was made for; empty: all of the role."""

    @property
    def permissions(self) -> frozenset[str]:
        """What they may, by role and scopes."""
        rank = ROLES.index(self.role)
        given = {name for name, (role, _) in PERMISSIONS.items() if ROLES.index(role) <= rank}
        return frozenset(given & set(self.scopes) if self.scopes else given)

    @property
    def everywhere(self) -> bool:
        """Whether they may so in every cluster."""
        return ALL in self.clusters

    @property
    def visible(self) -> tuple[str, ...] | None:
        """The clusters they see; ``None`` for all."""
        return None if self.everywhere else self.clusters

    def sees(self, cluster: str) -> bool:
        """Tell whether a cluster is granted to them."""
        return self.everywhere or cluster in self.clusters

    def check(self, permission: Permission) -> None:
        """Raise ``Forbidden`` unless they have a permission."""
        if permission not in self.permissions:
            why = "the token's scopes do not hold" if self.scopes else f"the role {self.role} does not have"
            raise Forbidden(f"{why} the permission {permission}")

    def check_cluster(self, cluster: str) -> None:
        """Raise ``NotFound`` unless they see a cluster: who may not see it learns not even that it is."""
        if not self.sees(cluster):
            raise NotFound(f"no cluster {cluster!r}, or none granted to you")

    def check_everywhere(self) -> None:
        """Raise ``Forbidden`` unless every cluster is granted to them."""
        if not self.everywhere:
            raise Forbidden("this concerns every cluster, and only some are granted to you")

    def check_grant(self, clusters: Collection[str]) -> None:
        """Raise ``Forbidden`` for clusters that are not theirs to give."""
        if not self.everywhere and not set(clusters) <= set(self.clusters):
            raise Forbidden(f"you can grant no more than your own clusters: {', '.join(self.clusters)}")
