"""Authentication of users and sensors, roles, permissions and granted clusters."""

from driftline.server.auth.caller import Caller, needs
from driftline.server.auth.roles import PERMISSIONS, Permission, Principal

__all__ = ["PERMISSIONS", "Caller", "Permission", "Principal", "needs"]
