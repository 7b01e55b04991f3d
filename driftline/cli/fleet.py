"""``driftline fleet``: join tokens and sensors of a server.

Every command works through the API of the server that the caller is logged in to, or, with ``--data``, on
the state directory of a server on this machine. The second way needs no login, so that the first sensor
can join before there is a user.
"""

from __future__ import annotations

import datetime
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from cyclopts import App
from rich.table import Table

from driftline.cli._shared import http_client, ids, item_list
from driftline.cli._shared.options import DataDirectory, ItemOutput
from driftline.cli._shared.tables import print_table
from driftline.printable import escape_unprintable
from driftline.server import pki
from driftline.server.fleet import status
from driftline.server.fleet.schemas import PolicyRun, SensorInfo, sensor_info
from driftline.server.fleet.status import SensorState
from driftline.server.settings import load
from driftline.server.state import State
from driftline.server.state import sensors as rows
from driftline.server.state.sensors import SensorRecord

app = App(name="fleet")


@app.command
def token(cluster: str, *, node: str = "", hours: float = 1.0, data: DataDirectory = None) -> None:
    """Create a join token, with which one sensor can enrol at the server, and print it.

    Parameters
    ----------
    cluster
        Name of the cluster that the sensor joins.
    node
        Name of the only node that may use the token; required if the node has a sensor that is not revoked.
        Default: any node.
    hours
        Hours until the token expires.
    """
    if data is None:
        with http_client.connect() as client:
            made = client.call("POST", "/join-tokens", body={"cluster": cluster, "node": node, "hours": hours})
        print(made["token"])
        return
    # Opening the authority creates it if the server has not been started yet.
    now = datetime.datetime.now(datetime.UTC)
    authority = pki.open_authority(data / "pki", now=now)
    ends = now + datetime.timedelta(hours=hours)
    with _opened(data).writing() as session:
        issued = rows.add_join_token(
            session, fingerprint=authority.fingerprint, cluster=cluster, node=node, expires=ends
        )
    print(issued.text())


@app.command
def sensors(
    *,
    cluster: str = "",
    node: str = "",
    problem: str = "",
    revoked: bool = False,
    limit: int | None = None,
    output: ItemOutput = "table",
    data: DataDirectory = None,
) -> None:
    """List the sensors of a server with version, last contact, clock skew, lost rows, policy and problems.

    Parameters
    ----------
    cluster
        Show only sensors of this cluster. Default: all.
    node
        Show only sensors of this node. Default: all.
    problem
        Show only sensors with this problem: silent, clock-off, losses, tampered, or any. Default: all sensors.
    revoked
        Include revoked sensors.
    limit
        Maximum number of sensors. Default: all.
    """
    if data is None:
        with http_client.connect() as client:
            listed = client.items("/sensors", cluster=cluster, node=node, problem=problem, revoked=revoked)
            found = list(itertools.islice(listed, limit))
    else:
        with _opened(data).reading() as session:
            found = [_sensor_info(record) for record in rows.list_sensors(session)]
        found = [
            it
            for it in found
            if cluster in ("", it["cluster"]) and node in ("", it["node"]) and (revoked or not it["revoked"])
        ]
        problem = problem.lower()
        found = [it for it in found if not problem or problem in {*_kinds(it), "any" if _kinds(it) else ""}][:limit]
    if output == "json":
        item_list.print_items(found, (), "json")
    else:
        _print(found)


# The database that the server's settings name, as the server finds them but for the data directory.
def _opened(data: Path) -> State:
    state = State(load(environ=os.environ, flags={"data": data}).settings.database_url)
    state.migrate(data)
    return state


# The same entry as the API returns, but without the policy in force.
def _sensor_info(record: SensorRecord) -> dict[str, Any]:
    state = msgspec.convert(record.report, SensorState) if record.report else status.new_state(record.identity)
    holds = status.conditions(state, now=datetime.datetime.now(datetime.UTC))
    info: SensorInfo = sensor_info(record, state, holds, policy=PolicyRun(running=state.policy))
    return info.model_dump(mode="json")


def _kinds(sensor: Mapping[str, Any]) -> set[str]:
    return {problem["kind"] for problem in sensor["problems"]}


def _print(sensors: Sequence[Mapping[str, Any]]) -> None:
    table = Table("cluster", "node", "sensor", "version", "seen", "clock", "lost", "policy", "state", box=None)
    for sensor in sensors:
        seen = (sensor["seen"] or "never")[:19].replace("T", " ")
        clock, lost = f"{sensor['clock_skew']:+.1f} s", f"{sensor['lost']:,}"
        cells = (sensor["cluster"], sensor["node"], sensor["sensor"], sensor["version"], seen, clock, lost)
        table.add_row(*map(escape_unprintable, (*cells, _policy(sensor["policy"]), _state(sensor))))
    print_table(table)


# The policy in words: an error of the latest version comes first, then whether a newer version is awaited.
def _policy(policy: Mapping[str, Any]) -> str:
    running = policy["running"] or "unknown"
    if policy["error"]:
        return f"{running}, refused {policy['wanted']}: {policy['error']}"
    return running if policy["current"] or not policy["wanted"] else f"{running}, not yet {policy['wanted']}"


def _state(sensor: Mapping[str, Any]) -> str:
    if sensor["revoked"]:
        return f"revoked: {sensor['revoked_for']}"
    return ", ".join(sorted(_kinds(sensor))) or "fine"


@app.command
def revoke(sensor: str, *, reason: str = "by the administrator", data: DataDirectory = None) -> None:
    """Revoke a sensor: the server refuses its connections from now on (with --data: within 30 seconds).

    Parameters
    ----------
    sensor
        Id of the sensor, or the start of it, as `driftline fleet sensors` shows it.
    reason
        Reason that is sent to the sensor.
    """
    if data is None:
        with http_client.connect() as client:
            known = (it["sensor"] for it in client.items("/sensors", revoked=True))
            sensor = ids.pick(sensor, known, "sensor")
            client.call("POST", f"/sensors/{sensor}/revoke", body={"reason": reason})
    else:
        with _opened(data).writing() as session:
            known = (it.identity.sensor for it in rows.list_sensors(session))
            sensor = ids.pick(sensor, known, "sensor")
            rows.revoke(session, sensor, reason=reason, now=datetime.datetime.now(datetime.UTC))
    print(f"{sensor}: revoked")
