"""Request and response bodies of the API for policies."""

from __future__ import annotations

import datetime

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Diff", "NewVersion", "PolicyInfo", "PutPolicy", "Rollback", "SensorPolicy", "VersionInfo"]

_TEXT = "rules:\n- name: Block in shop\n  priority: 10\n  action: block\n"


class VersionInfo(BaseModel):
    """One version of a policy, without its text."""

    model_config = ConfigDict(from_attributes=True)
    name: str = Field(examples=["prod-eu"])
    version: int = Field(examples=[7])
    digest: str = Field(description="SHA-256 of the text, hexadecimal")
    author: str = Field(description="Name of the user who put the version in force", examples=["ada"])
    message: str = Field(description="Reason for the change", examples=["block in the shop"])
    created_at: datetime.datetime = Field(description="Time of the change, UTC")


class PolicyInfo(VersionInfo):
    """One version of a policy, with its text."""

    text: str = Field(description="Policy in YAML, as it was sent", examples=[_TEXT])


class PutPolicy(PolicyInfo):
    """A version that was put in force, and the sensors that it concerns."""

    sensors: int = Field(default=0, description="Number of enrolled sensors to which the policy applies")
    note: str = Field(
        default="",
        description="Warning if no sensor of the policy's cluster is enrolled",
        examples=["no sensor of a cluster 'prod-ue' is enrolled; did you mean prod-eu?"],
    )


class NewVersion(BaseModel):
    """A new version of a policy to put in force."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field(
        max_length=1 << 20,
        description="Policy in YAML: plain, or a Kubernetes manifest of kind DriftPolicy",
        examples=[_TEXT],
    )
    message: str = Field(default="", max_length=1024, description="Reason for the change")
    if_version: int | None = Field(
        default=None,
        ge=0,
        le=2**31,
        description="Refuse the change unless this version is in force; 0: unless there is no version yet",
    )


class Rollback(BaseModel):
    """An earlier version of a policy whose text to put in force again."""

    model_config = ConfigDict(extra="forbid")
    version: int = Field(ge=1, le=2**31)
    message: str = Field(default="", max_length=1024, description="Reason for the change")


class Diff(BaseModel):
    """The difference between two versions of a policy."""

    name: str
    from_version: int
    to_version: int
    diff: str = Field(description="Unified diff, as of `diff -u`; empty if the texts are equal")


class SensorPolicy(BaseModel):
    """The policy version that a sensor last reported."""

    model_config = ConfigDict(from_attributes=True)
    sensor: str
    cluster: str
    node: str
    name: str
    version: int
    error: str = Field(
        description="Error of the sensor with the version it received, which then keeps the one before; empty: none"
    )
    at: datetime.datetime = Field(description="Time of the report, UTC")
    wanted: int = Field(default=0, description="Number of the version in force for the sensor's cluster; 0: none")
    current: bool = Field(default=False, description="Whether the sensor runs the version in force")
