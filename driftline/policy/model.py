"""Drift policies: an ordered list of rules, of which the first that matches decides.

The model is the file format, the Kubernetes resource and the JSON schema at once. A rule looks
at where a container runs (cloud scope), which one it is (resource scope), and what ran
(subjects); its allow list then exempts single processes from its action.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError

from driftline.events import Action, Subject
from driftline.policy import operators
from driftline.policy.operators import Operator

__all__ = [
    "DEFAULT",
    "AllowedProcess",
    "CloudScope",
    "Condition",
    "DefaultRule",
    "Operator",
    "Policy",
    "Provider",
    "ResourceField",
    "Rule",
    "Severity",
]

MAX_RULES = 1000
MAX_VALUES = 200
LABEL_KEY = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")

Severity = Literal["Informational", "Low", "Medium", "High"]
Name = Annotated[str, Field(min_length=1, max_length=128)]
Value = Annotated[str, Field(max_length=512)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)


# A ValidationError raised by a validator keeps its places, where a ValueError has the validator's only.
def _refuse(problems: Iterable[tuple[tuple[str | int, ...], str]]) -> None:
    details = [
        InitErrorDetails(type=PydanticCustomError("policy", "{reason}", {"reason": reason}), loc=path, input=None)
        for path, reason in problems
    ]
    if details:
        raise ValidationError.from_exception_data("policy", details)


class Provider(StrEnum):
    """Where a cluster runs."""

    AZURE = "azure"
    AWS = "aws"
    GCP = "gcp"
    ON_PREMISES = "on-prem"


class ResourceField(StrEnum):
    """What of a container a condition looks at."""

    CONTAINER_NAME = "containerName"
    IMAGE_NAME = "imageName"
    NAMESPACE = "namespace"
    POD_NAME = "podName"
    POD_LABEL = "podLabel"
    CLUSTER_NAME = "clusterName"


class CloudScope(_Part):
    """One provider: the whole of it, accounts that appear later included, or listed accounts."""

    provider: Provider
    accounts: tuple[Value, ...] = Field(default=(), max_length=MAX_VALUES)


def _check_label_key(key: str) -> str:
    if key and not LABEL_KEY.fullmatch(key):
        raise ValueError("expected a Kubernetes label key, [prefix/]name of at most 63 characters")
    return key


class Condition(_Part):
    """One condition on a container; it holds if it holds for any of the values."""

    field: ResourceField
    label: Annotated[str, AfterValidator(_check_label_key)] = ""
    operator: Operator = Operator.EQUALS
    values: tuple[Value, ...] = Field(min_length=1, max_length=MAX_VALUES)

    @cached_property
    def fits(self) -> operators.Matcher:
        """Say whether a text fulfils the condition."""
        return operators.matcher(self.operator, self.values)

    @model_validator(mode="after")
    def _check_values(self) -> Condition:
        _refuse((("values", number), reason) for number, reason in self._illegal_values())
        return self

    def _illegal_values(self) -> Iterator[tuple[int, str]]:
        for number, value in enumerate(self.values):
            try:
                operators.check_value(self.operator, value)
            except ValueError as error:
                yield number, str(error)

    @model_validator(mode="after")
    def _check_label(self) -> Condition:
        if (self.field == ResourceField.POD_LABEL) != bool(self.label):
            raise ValueError("label names the pod label to look at: it goes with the field podLabel, and only with it")
        return self


class AllowedProcess(_Part):
    """One exemption; exactly one of its fields is given."""

    name: str = Field(default="", max_length=255, description="File name of the program")
    path: str = Field(default="", max_length=4096, description="Absolute path in the container; * and ? match anything")
    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$", description="Digest of the bytes")
    relocated: bool = Field(default=False, description="Any bytes the image has under another path")

    @cached_property
    def fits_path(self) -> operators.Matcher:
        """Say whether a path is like ``path``."""
        return operators.glob((self.path,))

    @model_validator(mode="after")
    def _check_one(self) -> AllowedProcess:
        if sum(map(bool, (self.name, self.path, self.sha256, self.relocated))) != 1:
            raise ValueError("expected exactly one of name, path, sha256 and relocated")
        return self


class Rule(_Part):
    """One drift rule."""

    name: Name
    priority: int = Field(ge=1, le=1_000_000, description="Lower numbers are asked first")
    action: Action
    description: str = Field(default="", max_length=1024)
    enabled: bool = True
    cloud_scope: tuple[CloudScope, ...] = Field(default=(), description="Where it applies; empty: everywhere")
    resource_scope: tuple[Condition, ...] = Field(default=(), max_length=50, description="All must hold")
    subjects: tuple[Subject, ...] = tuple(Subject)
    allow: tuple[AllowedProcess, ...] = Field(default=(), max_length=MAX_VALUES)
    severity: Severity = "Medium"
    expires: datetime.datetime | None = Field(default=None, description="Ignored from then on")
    fail_closed: bool = Field(default=False, description="For block: keep blocking when the sensor is gone")


class DefaultRule(_Part):
    """What holds where no rule matches; it cannot be removed."""

    action: Action = Action.IGNORE


class Policy(_Part):
    """A whole policy."""

    rules: tuple[Rule, ...] = Field(default=(), max_length=MAX_RULES)
    default_rule: DefaultRule = DefaultRule()

    @model_validator(mode="after")
    def _check_unique(self) -> Policy:
        for what in ("name", "priority"):
            counts = Counter(getattr(rule, what) for rule in self.rules)
            doubled = [value for value, count in counts.items() if count > 1]
            if doubled:
                raise ValueError(f"more than one rule has the {what} {doubled[0]!r}")
        return self


DEFAULT = Policy(
    rules=(
        Rule(
            name="Alert on kube-system",
            priority=1000,
            action=Action.ALERT,
            description="Nobody has business to run new programs in the cluster's own containers.",
            resource_scope=(Condition(field=ResourceField.NAMESPACE, values=("kube-system",)),),
        ),
    )
)
"""What Defender for Containers ships: alert on kube-system, ignore the rest."""
