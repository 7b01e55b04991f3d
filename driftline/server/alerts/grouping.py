"""Counting findings into alerts.

Findings with the same group key are repeats of one alert until it is resolved. The alert has the title, severity and
description of its most severe occurrence, and all its places (``places``). A finding that a suppression rule
matches goes to an alert of that rule, which is resolved from the start and has the rule in its key: it must not be
counted in an open alert, nor the reverse.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Container, Iterable, Mapping, Sequence

from driftline.server.alerts.findings import Finding
from driftline.server.alerts.places import Places
from driftline.server.alerts.suppress import first_match
from driftline.server.state import Session, alerts
from driftline.server.state.alerts import Row
from driftline.server.state.models import Alert, Occurrence, Suppression

__all__ = ["count_findings"]

_SEVERITIES = ("Informational", "Low", "Medium", "High")
_OF_THE_WORST = ("severity", "title", "category", "description")
_MAX_TECHNIQUES = 50
_MAX_ENTITIES = 100
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
    fresh = {finding.id: finding for finding in findings if finding.id not in counted}
    matched = _matched(fresh.values(), alerts.list_suppressions(session, clusters=None), now)
    stored = alerts.find_open(session, sorted({key for _, key, _ in matched}))
    opened = {key: _open(finding, key, now, rule) for finding, key, rule in _firsts(matched, stored)}
    counting = {key: dict(row) for key, row in stored.items()} | opened

    places = Places(session, [(counting[key], finding) for finding, key, _ in matched if key in stored])
    for finding, key, rule in matched:
        _count(counting[key], finding, places, now)
        if rule:
            rule.hits += 1
    for row, change in zip(counting.values(), alerts.next_changes(session, len(counting)), strict=True):
        row |= {"change": change, "updated_at": now}
    alerts.change_rows(session, Alert, [(stored[key], counting[key]) for key in stored])
    alerts.add_rows(session, Alert, list(opened.values()))
    places.save()
    occurrences = [{"id": it.id, "alert_id": counting[key]["id"], "at": it.at} for it, key, _ in matched]
    alerts.add_rows(session, Occurrence, occurrences)
    return _outcomes(findings, matched, opened.values())


# A finding with its open key and the suppression rule that matches it.
_Matched = tuple[Finding, str, Suppression | None]


def _matched(findings: Iterable[Finding], rules: Sequence[Suppression], now: datetime.datetime) -> list[_Matched]:
    found = ((finding, first_match(rules, finding, now)) for finding in findings)
    return [(finding, f"{rule.id if rule else ''}:{finding.group_key}", rule) for finding, rule in found]


# The first finding of each key that no alert counts yet.
def _firsts(matched: Iterable[_Matched], known: Container[str]) -> Iterable[_Matched]:
    firsts: dict[str, _Matched] = {}
    for each in matched:
        if each[1] not in known:
            firsts.setdefault(each[1], each)
    return firsts.values()


def _outcomes(findings: Sequence[Finding], matched: Sequence[_Matched], opened: Iterable[Row]) -> Mapping[str, int]:
    suppressed = sum(1 for _, _, rule in matched if rule)
    new = sum(1 for row in opened if row["suppressed_by"] is None)
    outcomes = {
        "opened": new,
        "repeated": len(matched) - suppressed - new,
        "suppressed": suppressed,
        "known": len(findings) - len(matched),
    }
    return {outcome: count for outcome, count in outcomes.items() if count}


# An alert that is opened for a rule keeps its open key, so that further suppressed findings are counted in it.
def _open(finding: Finding, key: str, now: datetime.datetime, rule: Suppression | None) -> Row:
    return {
        "id": uuid.uuid4().hex,
        "open_key": key,
        "group_key": finding.group_key,
        "status": "resolved" if rule else "new",
        "suppressed_by": rule.id if rule else None,
        "classification": None,
        "determination": None,
        "assignee": None,
        "techniques": list(finding.techniques),
        "entities": list(finding.entities),
        "count": 0,
        "first_seen": finding.at,
        "last_seen": finding.at,
        "updated_at": now,
        "spread": [],
        "place_count": 0,
        "new_places": 0,
        **{name: getattr(finding, name) for name in _COPIED},
    }


# Findings may arrive out of order: an older one does not change the latest time and pod.
def _count(alert: Row, finding: Finding, places: Places, now: datetime.datetime) -> None:
    alert["count"] += 1
    alert["first_seen"] = min(alert["first_seen"], finding.at)
    if finding.at >= alert["last_seen"]:
        alert["last_seen"], alert["pod"] = finding.at, finding.pod
    if _rank(finding.severity) > _rank(alert["severity"]):
        alert |= {name: getattr(finding, name) for name in _OF_THE_WORST}
    if new := [each for each in finding.techniques if each not in alert["techniques"]]:
        alert["techniques"] = [*alert["techniques"], *new][:_MAX_TECHNIQUES]
    if places.count(alert, finding, now):
        new_entities = [each for each in finding.entities if each not in alert["entities"]]
        alert["entities"] = [*alert["entities"], *new_entities][:_MAX_ENTITIES]


def _rank(severity: str) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else -1
