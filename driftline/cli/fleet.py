"""``driftline fleet``: join tokens and sensors, by the server's API or on the server's own machine."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from driftline.cli._shared import http_client, item_list
from driftline.cli._shared.alert_text import safe
from driftline.server import pki
from driftline.server.fleet import status
from driftline.server.fleet.schemas import PolicyRun, SensorInfo, sensor_info
from driftline.server.fleet.status import SensorState
from driftline.server.sensors import SensorRecord, open_sensors

app = App(name="fleet", help="Let sensors join a server, list them, revoke them.")

Data = Annotated[Path | None, Parameter(env_var="DRIFTLINE_SERVER_DATA")]


@app.command
def token(cluster: str, *, node: str = "", hours: float = 1.0, data: Data = None) -> None:
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
        On the server's own machine: directory of its state. Without it, the server you are
        logged in to is asked.
    """
    if data is None:
        with http_client.connect() as client:
            made = client.call("POST", "/join-tokens", body={"cluster": cluster, "node": node, "hours": hours})
        print(made["token"])
        return
    now = datetime.datetime.now(datetime.UTC)
    authority = pki.open_authority(data / "pki", now=now)
    ends = now + datetime.timedelta(hours=hours)
    found = open_sensors(data).make_token(fingerprint=authority.fingerprint, cluster=cluster, node=node, expires=ends)
    print(found.text())


@app.command
def sensors(
    *,
    cluster: str = "",
    problem: str = "",
    revoked: bool = False,
    output: item_list.Output = "table",
    data: Data = None,
) -> None:
    """List the sensors: what each runs, and what about it people should know.

    Parameters
    ----------
    cluster
        Only of this cluster.
    problem
        Only with this problem: silent, clock-off, losses, tampered; any.
    revoked
        Revoked ones, too.
    output
        For people, or a JSON array with everything that is known.
    data
        On the server's own machine: directory of its state. Without it, the server you are
        logged in to is asked.
    """
    if data is None:
        with http_client.connect() as client:
            found = list(client.items("/sensors", cluster=cluster, problem=problem, revoked=revoked))
    else:
        found = [_told(record) for record in open_sensors(data).sensors()]
        found = [it for it in found if cluster in ("", it["cluster"]) and (revoked or not it["revoked"])]
        found = [it for it in found if not problem or problem in {*_kinds(it), "any" if _kinds(it) else ""}]
    if output == "json":
        item_list.print_items(found, (), "json")
    else:
        _print(found)


def _told(record: SensorRecord) -> dict[str, Any]:
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
        table.add_row(*map(safe, (*cells, _policy(sensor["policy"]), _state(sensor))))
    Console().print(table, markup=False)


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
def revoke(sensor: str, *, reason: str = "by the administrator", data: Data = None) -> None:
    """Refuse a sensor from now on; by ``--data``, a running server does within 30 seconds.

    Parameters
    ----------
    sensor
        Id of the sensor.
    reason
        What the sensor is told.
    data
        On the server's own machine: directory of its state. Without it, the server you are
        logged in to is asked.
    """
    if data is None:
        with http_client.connect() as client:
            client.call("POST", f"/sensors/{sensor}/revoke", body={"reason": reason})
    else:
        open_sensors(data).revoke(sensor, reason=reason, now=datetime.datetime.now(datetime.UTC))
    print(f"{sensor}: revoked")
