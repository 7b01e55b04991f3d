"""Who asks, what they may do, and in which clusters."""

from driftline.server.auth.caller import Caller, needs
from driftline.server.auth.roles import PERMISSIONS, Permission, Principal

__all__ = ["PERMISSIONS", "Caller", "Permission", "Principal", "needs"]
