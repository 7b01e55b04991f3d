"""Roles, permissions and granted clusters; pure.

An endpoint requires a permission; the role of the user has it or not. The scopes of a token, which are
permissions, too, can only remove permissions. The granted clusters limit the objects on which a permission
applies.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from driftline.errors import Forbidden, NotFound

__all__ = ["ALL", "PERMISSIONS", "ROLES", "Permission", "Principal", "Role", "permissions_of"]

ALL = "*"
"""Grant for all clusters, including future ones."""

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
    "events:read": ("viewer", "follow events live"),
    "hunt": ("viewer", "run KQL over the hunting tables"),
    "policies:read": ("viewer", "see policies, their versions, and the version of each sensor"),
    "sensors:read": ("viewer", "see sensors, their clusters and problems"),
    "alerts:write": ("analyst", "change alerts and suppression rules"),
    "policies:write": ("admin", "change and roll back policies"),
    "sensors:write": ("admin", "create join tokens, revoke sensors"),
    "users:read": ("admin", "see users and their tokens"),
    "users:write": ("admin", "create, change and remove users"),
    "audit:read": ("admin", "see the audit trail"),
}
"""Each permission with the lowest role that has it, and a description for the reference page."""

ROLES: tuple[Role, ...] = ("viewer", "analyst", "admin")
"""Roles from the lowest to the highest; each has the permissions of those before it.

They correspond to Security Reader, Security Operator and Security Administrator in Microsoft Entra.
"""


def permissions_of(role: Role) -> frozenset[str]:
    """Return the permissions of a role."""
    rank = ROLES.index(role)
    return frozenset(name for name, (lowest, _) in PERMISSIONS.items() if ROLES.index(lowest) <= rank)


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated caller of a request, with role, granted clusters and the scopes of the token."""

    user_id: str
    name: str
    role: Role
    clusters: tuple[str, ...]
    token_id: str = ""
    """Id of the token or session that authenticates the request."""
    scopes: tuple[str, ...] = ()
    """The permissions that the token is limited to; empty: all permissions of the role."""
    personal: bool = False
    """Whether a personal token authenticates the request; otherwise a session."""
    expires_at: datetime.datetime | None = None
    """End of the token or session, UTC; ``None`` if there is none."""

    @property
    def permissions(self) -> frozenset[str]:
        """The permissions of the role, limited by the scopes of the token."""
        # Scopes are intersected at each request: a token does not keep permissions that its owner loses.
        given = permissions_of(self.role)
        return given & set(self.scopes) if self.scopes else given

    @property
    def everywhere(self) -> bool:
        """Whether all clusters are granted."""
        return ALL in self.clusters

    @property
    def visible(self) -> tuple[str, ...] | None:
        """The granted clusters; ``None`` for all."""
        return None if self.everywhere else self.clusters

    def sees(self, cluster: str) -> bool:
        """Return whether a cluster is granted."""
        return self.everywhere or cluster in self.clusters

    def check(self, permission: Permission) -> None:
        """Raise ``Forbidden`` unless the caller has a permission."""
        if permission not in self.permissions:
            why = "the token's scopes do not hold" if self.scopes else f"the role {self.role} does not have"
            raise Forbidden(f"{why} the permission {permission}")

    def check_role(self, role: Role) -> None:
        """Raise ``Forbidden`` unless the caller has every permission of a role, and so may give the role to a user."""
        if beyond := sorted(permissions_of(role) - self.permissions):
            limit = "this token" if self.scopes else f"the role {self.role}"
            raise Forbidden(f"the role {role} has permissions that {limit} does not have: {', '.join(beyond)}")

    def check_cluster(self, cluster: str) -> None:
        """Raise ``NotFound`` unless a cluster is granted.

        It is not ``Forbidden``: the answer must not reveal that the cluster exists.
        """
        if not self.sees(cluster):
            raise NotFound(f"no cluster {cluster!r}, or none granted to you")

    def check_everywhere(self) -> None:
        """Raise ``Forbidden`` unless all clusters are granted."""
        if not self.everywhere:
            raise Forbidden("this concerns all clusters, but only some are granted to you")

    def check_grant(self, clusters: Collection[str]) -> None:
        """Raise ``Forbidden`` unless the caller may grant these clusters: all, or only the caller's own."""
        if not self.everywhere and not set(clusters) <= set(self.clusters):
            raise Forbidden(f"you can grant only your own clusters: {', '.join(self.clusters)}")
