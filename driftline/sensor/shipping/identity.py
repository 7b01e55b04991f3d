"""Identity of the sensor towards its server.

In a module of its own, without imports of HTTP or X.509 libraries: the sensor's process reads it, and only the
shipping process loads those libraries.
"""

from __future__ import annotations

import msgspec

__all__ = ["SensorIdentity"]


class SensorIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Identity that the server issued to this sensor: it may send rows of this cluster and node only."""

    sensor: str
    """Id of the sensor at the server."""
    cluster: str
    """Name of the cluster."""
    node: str
    """Name of the node."""
