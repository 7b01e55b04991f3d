"""Counting findings into alerts.

Findings with the same group key are repeats of one alert until it is resolved. A finding that a suppression rule
matches goes to an alert of that rule, which is resolved from the start and has the rule in its key: it must not be
counted in an open alert, nor the reverse.
"""

from __future__ import annotations

import datetime
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from driftline.server.alerts.findings import Finding
from driftline.server.alerts.suppress import first_match
from driftline.server.state import Session, alerts
from driftline.server.state.models import Alert, Suppression

__all__ = ["count_findings"]

_COPIED = (
    "title",
    "category",
    "severity",
    "description",
    "service_source",
    "detection_source",
    "cluster",
    "namespace",
    "pod",
    "workload",
    "image",
    "image_digest",
    "sha256",
    "path",
    "rule",
)


def count_findings(session: Session, findings: Sequence[Finding], *, now: datetime.datetime) -> Mapping[str, int]:
    """Count findings as occurrences of alerts, and open alerts for new ones; ``now`` is UTC.

    Returns the number of findings by outcome: ``opened``, ``repeated``, ``suppressed``, ``known`` (counted before).
    """
    counted = alerts.known(session, [finding.id for finding in findings])
    rules = alerts.list_suppressions(session, clusters=None)
    outcomes: Counter[str] = Counter()
    for finding in findings:
        outcome = "known" if finding.id in counted else _count(session, finding, rules, now)
        counted.add(finding.id)
        outcomes[outcome] += 1
    return outcomes


def _count(session: Session, finding: Finding, rules: Sequence[Suppression], now: datetime.datetime) -> str:
    rule = first_match(rules, finding, now)
    key = f"{rule.id if rule else ''}:{finding.group_key}"
    alert = alerts.find_by_open_key(session, key)
    outcome = "suppressed" if rule else "repeated" if alert else "opened"
    if alert is None:
        alert = _open(finding, key, now)
        if rule:
            _suppress(alert, rule)
    else:
        _repeat(alert, finding)
    if rule:
        rule.hits += 1
    alerts.touch(session, alert, now)
    alerts.add_occurrence(session, alert, finding.id, finding.at)
    return outcome


def _open(finding: Finding, key: str, now: datetime.datetime) -> Alert:
    return Alert(
        id=uuid.uuid4().hex,
        open_key=key,
        group_key=finding.group_key,
        status="new",
        techniques=list(finding.techniques),
        entities=msgspec.to_builtins(finding.entities),
        count=1,
        first_seen=finding.at,
        last_seen=finding.at,
        updated_at=now,
        **{name: getattr(finding, name) for name in _COPIED},
    )


# The alert keeps its open key, so that further suppressed findings of the group are counted in it.
def _suppress(alert: Alert, rule: Suppression) -> None:
    alert.status, alert.suppressed_by = "resolved", rule.id


# Findings may arrive out of order: an older one does not change the latest time and pod.
def _repeat(alert: Alert, finding: Finding) -> None:
    alert.count += 1
    alert.first_seen = min(alert.first_seen, finding.at)
    if finding.at >= alert.last_seen:
        alert.last_seen, alert.pod = finding.at, finding.pod
