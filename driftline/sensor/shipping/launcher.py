"""The sensor's side of shipping: who it is to its server, and the process that sends its rows."""

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


def enrol(directory: Path, url: str, *, token: str, cluster: str, node: str) -> SensorIdentity:
    """Become a sensor of the server at ``url``, unless ``directory`` says that it is one already.

    Raises ``DriftlineError`` with the server's words, and ``InvalidInput`` if the server knows it
    under another cluster (unless ``cluster`` is empty) or node.
    """
    command = (sys.executable, "-P", "-m", "driftline.sensor.shipping.credentials", str(directory), url, node)
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
    """Start the process that sends rows to the server, and follows its policy unless told not to.

    Raises ``StoreError`` if it does not come up.
    """
    policy = "served" if served_policy else "own"
    command = (sys.executable, "-P", "-m", "driftline.sensor.shipping.process", str(directory), url, policy)
    return Writer(command, name=f"the spool in {directory}")
