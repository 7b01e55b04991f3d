"""Conditions of suppression rules, which resolve alerts when they arrive; pure."""

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
    """Conditions of a suppression rule; all of them must match.

    `*` matches any text, except in `cluster` and `sha256`.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"namespace": "ci-*", "rule": "Alert"}]})
    cluster: Annotated[str, Field(min_length=1, max_length=253)] | None = Field(
        default=None, description="Name of the cluster; none: all clusters"
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
            raise ValueError("expected a condition besides the cluster: the rule would suppress all alerts")
        return self


class Rule(Protocol):
    """The properties of a suppression rule that matching needs."""

    @property
    def conditions(self) -> Mapping[str, Any]: ...
    @property
    def expires_at(self) -> datetime.datetime | None: ...


def first_match(rules: Iterable[Rule], finding: Finding, now: datetime.datetime) -> Any:
    """Return the first rule that matches a finding; ``None`` if no rule does.

    A rule matches if all its conditions do and it has not expired at ``now`` (UTC).
    """
    return next((rule for rule in rules if _rule_matches(rule, finding, now)), None)


def _rule_matches(rule: Rule, finding: Finding, now: datetime.datetime) -> bool:
    if rule.expires_at is not None and rule.expires_at <= now:
        return False
    return all(_matches(name, wanted, getattr(finding, name)) for name, wanted in rule.conditions.items())


# Digests and cluster names are compared whole: the right to suppress is granted by cluster name, and a pattern
# would match clusters that are not granted.
def _matches(name: str, wanted: str, found: str) -> bool:
    if name in ("sha256", "cluster"):
        return found == wanted
    return fnmatch.fnmatchcase(found, wanted.translate(_ONLY_STARS))


# Escapes the other special characters of fnmatch, so that only "*" is one.
_ONLY_STARS = str.maketrans({"[": "[[]", "?": "[?]"})
