"""When an alert is resolved as it arrives; pure."""

from __future__ import annotations

import datetime
import fnmatch
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, model_validator

from driftline.server.alerts.findings import Finding

__all__ = ["Conditions", "first_match"]

Text = Annotated[str, Field(min_length=1, max_length=512)]


class Conditions(BaseModel):
    """All that are given must hold; `*` stands for any text in all but `sha256`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"namespace": "ci-*", "rule": "Alert"}]})
    cluster: Annotated[str, Field(min_length=1, max_length=253)] | None = Field(
        default=None, description="The cluster by its name; none: every one"
    )
    namespace: Text | None = None
    workload: Text | None = None
    image: Text | None = None
    path: Text | None = None
    rule: Text | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _check_any(self) -> Conditions:
        if not self.model_dump(exclude_none=True, exclude={"cluster"}):
            raise ValueError("expected a condition besides the cluster: this would suppress everything")
        return self


class Rule(Protocol):
    """What is asked of a suppression rule."""

    @property
    def conditions(self) -> Mapping[str, Any]: ...
    @property
    def expires_at(self) -> datetime.datetime | None: ...


def first_match(rules: Iterable[Rule], finding: Finding, now: datetime.datetime) -> Any:
    """Give the first rule that holds for a finding; ``None`` if none does."""
    return next((rule for rule in rules if _holds(rule, finding, now)), None)


def _holds(rule: Rule, finding: Finding, now: datetime.datetime) -> bool:
    if rule.expires_at is not None and rule.expires_at <= now:
        return False
    return all(_matches(name, wanted, getattr(finding, name)) for name, wanted in rule.conditions.items())


# A hash and a cluster's name are told whole: a star in a cluster's name would reach into other grants.
def _matches(name: str, wanted: str, found: str) -> bool:
    if name in ("sha256", "cluster"):
        return found == wanted
    return fnmatch.fnmatchcase(found, wanted.translate(_ONLY_STARS))


_ONLY_STARS = str.maketrans({"[": "[[]", "?": "[?]"})
