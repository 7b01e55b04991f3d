"""``driftline fleet``: join tokens and sensors, on the machine of the server."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from driftline.server import fleet, pki
from driftline.server.fleet import SensorState
from driftline.server.sensors import SensorRecord, open_sensors

app = App(name="fleet", help="Let sensors join a server, list them, revoke them.")

Data = Annotated[Path, Parameter(env_var="DRIFTLINE_SERVER_DATA")]
DEFAULT_DATA = Path("/var/lib/driftline/server")


@app.command
def token(cluster: str, *, node: str = "", hours: float = 1.0, data: Data = DEFAULT_DATA) -> None:
    """Make a join token for one sensor, and print it.

    Parameters
    ----------
    cluster
        Cluster that the sensor is of.
    node
        The only node it may be of; needed for one whose sensor lives.
    hours
        How long the token holds.
    data
        Directory of the server's own state.
    """
    now = datetime.datetime.now(datetime.UTC)
    authority = pki.open_authority(data / "pki", now=now)
    made = open_sensors(data).make_token(
        fingerprint=authority.fingerprint, cluster=cluster, node=node, expires=now + datetime.timedelta(hours=hours)
    )
    print(made.text())


@app.command
def sensors(*, data: Data = DEFAULT_DATA) -> None:
    """List the sensors, and what about them people should know.

    Parameters
    ----------
    data
        Directory of the server's own state.
    """
    table = Table("cluster", "node", "sensor", "version", "seen", "clock", "lost", "state", box=None)
    for record in open_sensors(data).sensors():
        table.add_row(*_cells(record))
    Console().print(table)


def _cells(record: SensorRecord) -> list[str]:
    identity = record.identity
    state = msgspec.convert(record.report, SensorState) if record.report else fleet.new_state(identity)
    seen = record.seen.isoformat(timespec="seconds") if record.seen else "never"
    place = [identity.cluster, identity.node, identity.sensor]
    return [*place, state.version, seen, f"{state.clock_skew:+.1f} s", f"{state.lost:,}", _condition(record, state)]


def _condition(record: SensorRecord, state: SensorState) -> str:
    if record.revoked:
        return f"revoked: {record.revoked_for}"
    found = fleet.conditions(state, now=datetime.datetime.now(datetime.UTC))
    return ", ".join(condition.kind for condition in found) or "fine"


@app.command
def revoke(sensor: str, *, reason: str = "by the administrator", data: Data = DEFAULT_DATA) -> None:
    """Refuse a sensor from now on; a running server does within 30 seconds.

    Parameters
    ----------
    sensor
        Id of the sensor.
    reason
        What the sensor is told.
    data
        Directory of the server's own state.
    """
    open_sensors(data).revoke(sensor, reason=reason, now=datetime.datetime.now(datetime.UTC))
    print(f"{sensor}: revoked")
