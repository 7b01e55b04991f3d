"""Start of the processes for shipping, from the sensor's process: enrolment, and the shipping process.

Neither HTTP nor TLS libraries are imported here: the sensor's process stays small.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from driftline.errors import DriftlineError, InvalidInput
from driftline.sensor.shipping.identity import SensorIdentity
from driftline.store.process.writer import Writer

__all__ = ["enrol", "start_shipper"]

_ENROL_SECONDS = 90
"""Seconds to wait for the enrolment."""


def enrol(directory: Path, url: str, *, token: str, cluster: str, node: str) -> SensorIdentity:
    """Enrol the sensor at the server ``url``, unless ``directory`` has its certificate; return its identity.

    Raises ``DriftlineError`` with the server's message, and ``InvalidInput`` if the identity has another node, or
    another cluster while ``cluster`` is not empty.
    """
    command = (sys.executable, "-P", "-m", "driftline.sensor.shipping.credentials", str(directory), url, node)
    # In the environment rather than an argument: arguments are visible to every user (/proc/PID/cmdline).
    environment = os.environ | {"DRIFTLINE_JOIN": token}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=_ENROL_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise DriftlineError(f"{url}: no answer within {_ENROL_SECONDS} s") from error
    if done.returncode:
        raise DriftlineError(f"the sensor could not enrol: {done.stderr.decode(errors='replace').strip()}")
    identity = msgspec.json.decode(done.stdout, type=SensorIdentity)
    _check("cluster", identity.cluster, cluster or identity.cluster)
    _check("node", identity.node, node)
    return identity


def _check(name: str, enrolled: str, wanted: str) -> None:
    if enrolled != wanted:
        raise InvalidInput(f"--{name}: the sensor is enrolled for the {name} {enrolled!r}, not {wanted!r}")


def start_shipper(directory: Path, url: str, *, served_policy: bool = True) -> Writer:
    """Start the shipping process; return the writer that passes rows to it.

    With ``served_policy`` the process also subscribes to the server's policy. Raises ``StoreError`` if it does not
    start.
    """
    policy = "served" if served_policy else "own"
    command = (sys.executable, "-P", "-m", "driftline.sensor.shipping.process", str(directory), url, policy)
    return Writer(command, name=f"the spool in {directory}")
