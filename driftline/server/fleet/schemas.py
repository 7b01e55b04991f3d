"""What the API says of sensors, their join tokens and clusters: from register, ledger and policies; pure."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from driftline.server.fleet.status import Condition, SensorState
from driftline.server.sensors import SensorRecord

__all__ = [
    "ClusterInfo",
    "JoinTokenInfo",
    "MadeToken",
    "NewToken",
    "PolicyRun",
    "Revocation",
    "SensorInfo",
    "clusters_of",
    "sensor_info",
]

Time = datetime.datetime


class PolicyRun(BaseModel):
    """Which version of which policy a sensor runs."""

    running: str = Field(description="NAME:VERSION as it says itself, a file, or `built in`", examples=["default:7"])
    wanted: str = Field(
        default="", description="What is in force for its cluster; empty: nothing", examples=["default:7"]
    )
    current: bool = Field(default=False, description="Whether these are the same")
    error: str = Field(default="", description="Why it could not use the version delivered last")


class Problem(BaseModel):
    """Something that holds about a sensor, and is an alert."""

    kind: str = Field(examples=["silent"])
    detail: str
    since: Time


class SensorInfo(BaseModel):
    """One sensor that enrolled."""

    sensor: str = Field(description="Id of the enrolment")
    cluster: str = Field(examples=["prod-eu"])
    node: str = Field(examples=["node-7"])
    version: str = Field(description="Version of driftline", examples=["0.1.0"])
    kernel: dict[str, Any] = Field(description="Release of the node's kernel, and what of eBPF it has")
    coverage: dict[str, Any] = Field(description="What the sensor sees, and by which means")
    block_mode: str = Field(description="How it blocks", examples=["armed, by LSM and signal"])
    policy: PolicyRun
    seen: Time | None = Field(description="When anything came from it last")
    clock_skew: float = Field(description="Seconds its clock is ahead of the server's")
    lost: int = Field(description="Events it lost since it enrolled")
    problems: list[Problem]
    enrolled: Time
    enrolled_by: str = Field(description="The join token, or the service account")
    certificate_ends: Time | None
    revoked: Time | None
    revoked_for: str


class ClusterInfo(BaseModel):
    """One cluster, counted."""

    cluster: str = Field(examples=["prod-eu"])
    sensors: int = Field(description="Sensors that are not revoked", examples=[12])
    problems: int = Field(description="Those of them with a problem", examples=[1])


class NewToken(BaseModel):
    """A join token to make."""

    model_config = ConfigDict(extra="forbid")
    cluster: str = Field(min_length=1, max_length=253, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["prod-eu"])
    node: str = Field(
        "",
        max_length=253,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="The only node it is for; empty: any that has no sensor",
    )
    hours: float = Field(1.0, gt=0, le=24 * 30, description="How long it holds")


class JoinTokenInfo(BaseModel):
    """One join token, without its secret."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    cluster: str
    node: str
    made_by: str
    expires: Time
    used: Time | None
    sensor: str = Field(description="The sensor that used it")


class MadeToken(BaseModel):
    """A join token with its secret, which is shown this once."""

    token: str = Field(examples=["dlj1.…"])
    expires: Time


class Revocation(BaseModel):
    """Why a sensor is refused from now on."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=1024, examples=["the node was given up"])


def sensor_info(
    record: SensorRecord, state: SensorState, conditions: Iterable[Condition], *, policy: PolicyRun
) -> SensorInfo:
    """Put together what is known of a sensor."""
    return SensorInfo(
        sensor=record.identity.sensor,
        cluster=record.identity.cluster,
        node=record.identity.node,
        version=state.version,
        kernel=dict(state.kernel),
        coverage=dict(state.coverage),
        block_mode=state.block_mode,
        policy=policy,
        seen=state.seen or record.seen,
        clock_skew=state.clock_skew,
        lost=state.lost,
        problems=[Problem(kind=it.kind, detail=it.detail, since=it.since) for it in conditions],
        enrolled=record.enrolled,
        enrolled_by=record.enrolled_by,
        certificate_ends=record.certificate_ends,
        revoked=record.revoked,
        revoked_for=record.revoked_for,
    )


def clusters_of(sensors: Sequence[SensorInfo]) -> list[ClusterInfo]:
    """Count sensors by cluster, in the order of names."""
    found: defaultdict[str, list[SensorInfo]] = defaultdict(list)
    for sensor in sensors:
        if sensor.revoked is None:
            found[sensor.cluster].append(sensor)
    return [
        ClusterInfo(cluster=name, sensors=len(them), problems=sum(bool(it.problems) for it in them))
        for name, them in sorted(found.items())
    ]
