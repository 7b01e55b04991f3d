"""The emergency switch: a file whose presence disables all blocking on this node.

A file works without a server, survives a restart of the sensor, and can be created by hand, by a script or by a
volume of the sensor's pod.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from driftline.errors import DriftlineError
from driftline.sensor.bpf.block_maps import unguard

__all__ = ["GUARDS_FOLDER", "SWITCH", "arm", "disarm", "is_disarmed"]

SWITCH = Path("/run/driftline/disarmed")
"""The file; its text, if any, is the time and the reason."""
GUARDS_FOLDER = Path("/sys/fs/bpf/driftline")
"""Directory on the BPF file system where guards are pinned."""


def is_disarmed() -> bool:
    """Return whether blocking is disabled."""
    return os.path.exists(SWITCH)  # noqa: PTH110 (asked a hundred times a second: a tenth of Path's cost)


# The guards of a sensor that has ended have no loop that would follow the switch: unpinning detaches them.
def disarm(reason: str) -> None:
    """Disable all blocking on this node.

    The guards of a sensor that has ended stop at once, a running sensor follows within a tenth of a second. Raises
    ``DriftlineError`` if the file cannot be written.
    """
    try:
        SWITCH.parent.mkdir(parents=True, exist_ok=True)
        SWITCH.write_text(f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC: {reason}\n")
        unguard(GUARDS_FOLDER)
    except OSError as error:
        raise DriftlineError(f"cannot turn blocking off: {error}") from error


def arm() -> None:
    """Enable blocking again; raises ``DriftlineError`` if the file cannot be removed."""
    try:
        SWITCH.unlink(missing_ok=True)
    except OSError as error:
        raise DriftlineError(f"cannot turn blocking on: {error}") from error
