"""Request and response bodies of the API for sensors, join tokens and clusters; pure.

A sensor's entry combines its enrolment, its latest reported state and the policies in force.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from driftline.server.fleet.status import Condition, SensorState
from driftline.server.state.sensors import SensorRecord
from driftline.wire.protocol import ClusterName, NodeName

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
    """The policy version that a sensor runs, and the one it should run."""

    running: str = Field(
        description="Policy as reported by the sensor: NAME:VERSION, the path of a file, or `built in`",
        examples=["default:7"],
    )
    wanted: str = Field(
        default="", description="Policy in force for the cluster of the sensor; empty: none", examples=["default:7"]
    )
    current: bool = Field(default=False, description="Whether `running` is `wanted`")
    error: str = Field(default="", description="Error of the sensor with the latest version it received; empty: none")


class Problem(BaseModel):
    """A problem of a sensor, which is also an alert."""

    kind: str = Field(description="Kind of the problem: silent, clock-off, losses or tampered", examples=["silent"])
    detail: str = Field(description="The problem in words")
    since: Time = Field(description="Start of the problem, UTC")


class SensorInfo(BaseModel):
    """An enrolled sensor."""

    sensor: str = Field(description="Id of the enrolment")
    cluster: str = Field(examples=["prod-eu"])
    node: str = Field(examples=["node-7"])
    version: str = Field(description="Version of driftline", examples=["0.1.0"])
    kernel: dict[str, Any] = Field(description="Kernel release of the node, and its eBPF features")
    coverage: dict[str, Any] = Field(description="Activities that the sensor observes, and by which mechanism")
    block_mode: str = Field(description="Blocking state and mechanism", examples=["armed, by LSM and signal"])
    policy: PolicyRun
    seen: Time | None = Field(description="Time of the latest message from the sensor, UTC; none: never")
    clock_skew: float = Field(description="Seconds that the sensor's clock is ahead of the server's; negative: behind")
    lost: int = Field(description="Number of events lost since the enrolment")
    refused: int = Field(description="Number of batches that the server refused since the enrolment")
    problems: list[Problem]
    enrolled: Time = Field(description="Time of the enrolment, UTC")
    enrolled_by: str = Field(description="Join token or service account of the enrolment")
    certificate_ends: Time | None = Field(description="End of the certificate's validity, UTC")
    revoked: Time | None = Field(description="Time of the revocation, UTC; none: not revoked")
    revoked_for: str = Field(description="Reason for the revocation")


class ClusterInfo(BaseModel):
    """A cluster with the number of its sensors."""

    cluster: str = Field(examples=["prod-eu"])
    sensors: int = Field(description="Number of sensors that are not revoked", examples=[12])
    problems: int = Field(description="Number of these sensors that have a problem", examples=[1])


class NewToken(BaseModel):
    """A join token to create."""

    model_config = ConfigDict(extra="forbid")
    cluster: ClusterName = Field(examples=["prod-eu"])
    node: NodeName | Literal[""] = Field(
        "", description="Name of the only node that may use the token; empty: any node without a sensor"
    )
    hours: float = Field(1.0, gt=0, le=24 * 30, description="Hours until the token expires")


class JoinTokenInfo(BaseModel):
    """A join token without its secret."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    cluster: str
    node: str
    made_by: str = Field(description="User who created the token")
    expires: Time = Field(description="Time of expiry, UTC")
    used: Time | None = Field(description="Time of use, UTC; none: not used yet")
    sensor: str = Field(description="Id of the sensor that used the token; empty: none")


class MadeToken(BaseModel):
    """A join token with its secret, which is not shown again."""

    token: str = Field(examples=["dlj1.…"])
    expires: Time


class Revocation(BaseModel):
    """The reason for revoking a sensor."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=1024, examples=["the node was decommissioned"])


def sensor_info(
    record: SensorRecord, state: SensorState, conditions: Iterable[Condition], *, policy: PolicyRun
) -> SensorInfo:
    """Return the API's entry of a sensor.

    ``record`` is its enrolment, ``state`` its latest reported state, ``conditions`` its present problems.
    """
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
        refused=state.refused,
        problems=[Problem(kind=it.kind, detail=it.detail, since=it.since) for it in conditions],
        enrolled=record.enrolled,
        enrolled_by=record.enrolled_by,
        certificate_ends=record.certificate_ends,
        revoked=record.revoked,
        revoked_for=record.revoked_for,
    )


def clusters_of(sensors: Sequence[SensorInfo]) -> list[ClusterInfo]:
    """Return the clusters, sorted by name, with their number of sensors that are not revoked."""
    found: defaultdict[str, list[SensorInfo]] = defaultdict(list)
    for sensor in sensors:
        if sensor.revoked is None:
            found[sensor.cluster].append(sensor)
    return [
        ClusterInfo(cluster=name, sensors=len(them), problems=sum(bool(it.problems) for it in them))
        for name, them in sorted(found.items())
    ]
