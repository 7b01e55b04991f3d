"""Request and response bodies of the API for alerts and suppression rules."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from driftline.server.alerts.states import Action, Classification, Determination, Status
from driftline.server.alerts.suppress import Conditions
from driftline.server.http.choices import any_case
from driftline.server.state.models import LATEST_PLACES

__all__ = ["ActionRequest", "AlertInfo", "HistoryEntry", "NewSuppression", "PlaceInfo", "SuppressionInfo", "Transition"]

_EXAMPLE: dict[str, JsonValue] = {
    "id": "9a1f0c5d8e2b4f6a9c3d7e1f0a2b4c6d",
    "change": 42,
    "title": "Drifted binary executed",
    "category": "Execution",
    "severity": "High",
    "status": "new",
    "techniques": ["T1059"],
    "cluster": "prod-eu",
    "namespace": "shop",
    "pod": "web-7d9f",
    "image": "registry.example/shop/web:1.4",
    "path": "/tmp/miner",  # noqa: S108 -- a path in a container, not on this machine
    "rule": "Block in shop",
    "count": 311,
    "first_seen": "2026-11-23T09:00:00Z",
    "last_seen": "2026-11-23T10:00:00Z",
}


class PlaceInfo(BaseModel):
    """A place where an alert occurred."""

    model_config = ConfigDict(from_attributes=True)
    cluster: str
    namespace: str = Field(examples=["payments"])
    workload: str = Field(description="Workload that owns the pod, as Kind/name", examples=["Deployment/web"])
    pod: str = Field(description="Name of the pod; empty where further pods of a workload are counted together")
    node: str
    count: int = Field(description="Number of occurrences in this place")
    first_seen: datetime.datetime = Field(description="Time of the first occurrence in this place, UTC")
    last_seen: datetime.datetime = Field(description="Time of the latest occurrence in this place, UTC")


class AlertInfo(BaseModel):
    """An alert: one finding with all its repeats until it is resolved."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_EXAMPLE]})
    id: str
    change: int = Field(
        description="Number of the latest change: `if_change` of an action, and the event id in the live stream"
    )
    title: str
    category: str
    severity: str
    status: Status
    classification: Classification | None
    determination: Determination | None
    assignee: str | None
    suppressed_by: str | None = Field(description="Id of the suppression rule that resolved the alert when it arrived")
    techniques: list[str] = Field(description="MITRE ATT&CK techniques")
    description: str
    service_source: str
    detection_source: str
    cluster: str
    namespace: str = Field(description="Namespace of the first occurrence; `places` has the others")
    pod: str = Field(description="Pod of the latest occurrence")
    workload: str = Field(description="Workload of the first occurrence")
    image: str
    image_digest: str
    sha256: str
    path: str
    rule: str
    entities: list[dict[str, Any]] = Field(
        description="Files, processes, containers and accounts of the first occurrence in each namespace and workload"
    )
    count: int = Field(description="Number of occurrences")
    first_seen: datetime.datetime = Field(description="Time of the first occurrence, UTC")
    last_seen: datetime.datetime = Field(description="Time of the latest occurrence, UTC")
    updated_at: datetime.datetime = Field(description="Time of the latest change of the alert, UTC")
    places: list[PlaceInfo] = Field(
        description=f"The {LATEST_PLACES} places that were found last; `/alerts/{{alert_id}}/places` has all"
    )
    place_count: int = Field(description="Number of places")
    new_places: int = Field(description="Number of namespaces and workloads since a user last acted on the alert")


class ActionRequest(BaseModel):
    """An action on an alert."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"action": "resolve", "classification": "false positive", "determination": "not malicious"},
                {"action": "assign", "assignee": "ada"},
            ]
        },
    )
    action: Annotated[Action, any_case(Action)]
    classification: Annotated[Classification, any_case(Classification)] | None = None
    determination: Annotated[Determination, any_case(Determination)] | None = None
    assignee: Annotated[str, Field(max_length=128)] | None = Field(
        default=None, description="For `assign`: name of the user; empty: remove the assignee"
    )
    comment: str = Field(default="", max_length=10_000)
    if_change: int | None = Field(
        default=None, description="Refuse the action unless this is still the latest change of the alert"
    )


class HistoryEntry(BaseModel):
    """One action on an alert."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    at: datetime.datetime = Field(description="Time of the action, UTC")
    actor: str = Field(description="Name of the user, or `driftline` for the server itself")
    action: Action | Literal["spread"] = Field(
        description="Action of a user; `spread`: the alert occurred in a new namespace or workload"
    )
    changes: dict[str, Any] = Field(
        description="Old and new value by field", examples=[{"status": ["new", "resolved"]}]
    )
    comment: str


class Transition(BaseModel):
    """An allowed action in a status, and the status after it."""

    status: Status
    action: Action
    leads_to: Status


class NewSuppression(BaseModel):
    """A suppression rule to create."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=128, examples=["CI builds compile"])
    reason: str = Field(min_length=1, max_length=1024, examples=["build pods run what they compile"])
    conditions: Conditions
    expires_at: AwareDatetime | None = Field(
        default=None, description="Time until which the rule applies, with time zone; none: until it is removed"
    )


class SuppressionInfo(NewSuppression):
    """A suppression rule."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    expires_at: datetime.datetime | None
    created_by: str
    created_at: datetime.datetime
    hits: int = Field(description="Number of occurrences that the rule suppressed")
