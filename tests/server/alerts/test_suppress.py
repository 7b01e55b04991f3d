"""Matching of suppression rules."""

from __future__ import annotations

import datetime
from types import SimpleNamespace
from typing import Any

import pydantic
import pytest

from driftline.server.alerts.findings import Finding
from driftline.server.alerts.suppress import Conditions, first_match

NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
TEXTS = ("title", "category", "severity", "description", "service_source", "detection_source", "cluster", "namespace",
         "pod", "node", "workload", "image", "image_digest", "sha256", "path", "rule")  # fmt: skip


def finding(**given: str) -> Finding:
    texts: dict[str, Any] = dict.fromkeys(TEXTS, "") | given
    return Finding(id="1", at=NOON, techniques=(), entities=(), **texts)


def holds(conditions: dict[str, str], found: Finding, *, expires_at: datetime.datetime | None = None) -> bool:
    rule = SimpleNamespace(conditions=conditions, expires_at=expires_at)
    return first_match([rule], found, NOON) is rule


def test_all_conditions_must_match() -> None:
    conditions = {"namespace": "ci", "rule": "Alert"}

    assert holds(conditions, finding(namespace="ci", rule="Alert"))
    assert not holds(conditions, finding(namespace="ci", rule="Block"))


@pytest.mark.parametrize(("pattern", "matches"), [("ci-*", True), ("*", True), ("ci-?", False), ("ci-[0-9]", False)])
def test_only_a_star_is_a_wildcard(pattern: str, *, matches: bool) -> None:
    assert holds({"namespace": pattern}, finding(namespace="ci-1")) is matches


def test_a_star_in_a_cluster_is_no_wildcard() -> None:
    assert not holds({"cluster": "*", "rule": "*"}, finding(cluster="prod"))


@pytest.mark.parametrize(("seconds", "matches"), [(0, False), (1, True)])
def test_a_rule_applies_until_it_expires(seconds: int, *, matches: bool) -> None:
    expires_at = NOON + datetime.timedelta(seconds=seconds)

    assert holds({"rule": "*"}, finding(), expires_at=expires_at) is matches


@pytest.mark.parametrize("conditions", [{}, {"cluster": "prod"}, {"sha256": "x"}, {"pod": "x"}, {"rule": ""}])
def test_conditions_without_a_restriction_or_with_unknown_fields_are_refused(conditions: dict[str, str]) -> None:
    with pytest.raises(pydantic.ValidationError):
        Conditions.model_validate(conditions)
