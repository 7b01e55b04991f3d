"""What the API says of policies, and what it takes."""

from __future__ import annotations

import datetime

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Diff", "NewVersion", "PolicyInfo", "Rollback", "SensorPolicy", "VersionInfo"]

_TEXT = "rules:\n- name: Block in shop\n  priority: 10\n  action: block\n"


class VersionInfo(BaseModel):
    """One version of a policy, without its text."""

    model_config = ConfigDict(from_attributes=True)
    name: str = Field(examples=["prod-eu"])
    version: int = Field(examples=[7])
    digest: str = Field(description="SHA-256 of the text")
    author: str = Field(examples=["ada"])
    message: str = Field(examples=["block in the shop"])
    created_at: datetime.datetime


class PolicyInfo(VersionInfo):
    """One version of a policy."""

    text: str = Field(examples=[_TEXT])


class NewVersion(BaseModel):
    """A version to put in force."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field(max_length=1 << 20, description="YAML, plain or a Kubernetes manifest", examples=[_TEXT])
    message: str = Field(default="", max_length=1024, description="Why")
    if_version: int | None = Field(
        default=None, ge=0, le=2**31, description="Refuse unless this version is in force; 0: unless there is none"
    )


class Rollback(BaseModel):
    """An earlier version to put in force again."""

    model_config = ConfigDict(extra="forbid")
    version: int = Field(ge=1, le=2**31)
    message: str = Field(default="", max_length=1024, description="Why")


class Diff(BaseModel):
    """What changed between two versions."""

    name: str
    from_version: int
    to_version: int
    diff: str = Field(description="As `diff -u` writes it; empty if nothing changed")


class SensorPolicy(BaseModel):
    """What a sensor said last of the policy it runs."""

    model_config = ConfigDict(from_attributes=True)
    sensor: str
    cluster: str
    node: str
    name: str
    version: int
    error: str = Field(description="Why it could not use the version delivered; it goes on with the one before")
    at: datetime.datetime
    wanted: int = Field(default=0, description="The version in force for its cluster; 0: none")
    current: bool = Field(default=False, description="Whether it runs that version")
