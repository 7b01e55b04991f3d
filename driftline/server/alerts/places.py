"""Places of an alert: each namespace, workload, pod and node where it occurred, with times and count.

A file that drifts in many places is one alert, and each place must still be found: an attacker who uses one program
in many namespaces would otherwise hide behind the first. A namespace or workload that is new to an alert is news: it is
an entry of the history, a change in the live stream, and counts in ``new_places`` until a user acts on the alert.

Containers and sensors choose names, so both the places and the pairs of namespace and workload are bounded. Beyond
the bounds pods are counted together in their workload, and workloads in a place without names.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from driftline.server.alerts.findings import Finding
from driftline.server.state import Session, alerts, search
from driftline.server.state.alerts import Row
from driftline.server.state.models import AlertHistory, AlertPlace

__all__ = ["MAX_PLACES", "MAX_SPREAD", "SPREAD", "Places"]

MAX_PLACES = 1000
"""Number of places of an alert that are kept with pod and node."""
MAX_SPREAD = 200
"""Number of pairs of namespace and workload of an alert that are kept."""
SPREAD = "spread"
"""Action in the history of an alert that occurred in a new namespace or workload."""
_ACTOR = "driftline"

_Names = tuple[str, str, str, str]


class Places:
    """The places of the alerts of one transaction, read at once and written at once."""

    def __init__(self, session: Session, counted: Sequence[tuple[Row, Finding]]) -> None:
        """Read the stored places of alerts, given as rows with the findings that will be counted in each."""
        self._session = session
        # Places are counted together only near the bound.
        keys = {
            _key(alert, names)
            for alert, finding in counted
            for names in _levels(finding)[: 3 if alert["place_count"] + len(counted) >= MAX_PLACES else 1]
        }
        self._stored = alerts.find_places(session, sorted(keys))
        self._places = {key: dict(row) for key, row in self._stored.items()}
        self._history: list[Row] = []

    def count(self, alert: Row, finding: Finding, now: datetime.datetime) -> bool:
        """Count a finding in its place; return whether its namespace or workload is new to the alert.

        The first of an alert is not new. ``now`` (UTC) is the time of the history's entry.
        """
        spreads = self._spread(alert, finding, now)
        key, names = self._found(alert, finding)
        place = self._places.get(key)
        if place is None:
            self._places[key] = _open(alert, finding, key, names)
            return spreads
        place["count"] += 1
        place["first_seen"] = min(place["first_seen"], finding.at)
        place["last_seen"] = max(place["last_seen"], finding.at)
        place["search"] = _with_texts(place["search"], finding)
        return spreads

    def save(self) -> None:
        """Save the places, new and changed, and the entries of the history; the alerts are saved before."""
        changed = [(self._stored[key], self._places[key]) for key in self._stored]
        alerts.change_rows(self._session, AlertPlace, changed)
        new = [place for key, place in self._places.items() if key not in self._stored]
        alerts.add_rows(self._session, AlertPlace, new)
        alerts.add_rows(self._session, AlertHistory, self._history)

    # The list is replaced, not appended to, because the row as it was read holds it too.
    def _spread(self, alert: Row, finding: Finding, now: datetime.datetime) -> bool:
        pair = [finding.namespace, finding.workload]
        if pair in alert["spread"] or len(alert["spread"]) >= MAX_SPREAD:
            return False
        known = {namespace for namespace, _ in alert["spread"]}
        alert["spread"] = [*alert["spread"], pair]
        if not known:
            return False
        alert["new_places"] += 1
        if alert["suppressed_by"] is None:
            changes: dict[str, Any] = {"workload": [None, finding.workload]}
            changes |= {} if finding.namespace in known else {"namespace": [None, finding.namespace]}
            comment = f"seen in {finding.workload or 'no workload'} of namespace {finding.namespace or '(none)'}"
            entry = {"alert_id": alert["id"], "at": now, "actor": _ACTOR, "action": SPREAD}
            self._history.append({**entry, "changes": changes, "comment": comment})
        return True

    def _found(self, alert: Row, finding: Finding) -> tuple[str, _Names]:
        whole, workload, rest = _levels(finding)
        if (key := _key(alert, whole)) in self._places or alert["place_count"] < MAX_PLACES:
            return key, whole
        names = workload if [finding.namespace, finding.workload] in alert["spread"] else rest
        return _key(alert, names), names


# The names of a place from the most exact to the least.
def _levels(finding: Finding) -> tuple[_Names, _Names, _Names]:
    whole = (finding.namespace, finding.workload, finding.pod, finding.node)
    return whole, (finding.namespace, finding.workload, "", ""), ("", "", "", "")


def _open(alert: Row, finding: Finding, key: str, names: _Names) -> Row:
    alert["place_count"] += 1
    return {
        "key": key,
        "alert_id": alert["id"],
        "number": alert["place_count"],
        "cluster": finding.cluster,
        **dict(zip(("namespace", "workload", "pod", "node"), names, strict=True)),
        "count": 1,
        "first_seen": finding.at,
        "last_seen": finding.at,
        "search": search.folded(_texts(finding)),
    }


# A repeat has the file under another name, or another title, and is found by these, too.
def _with_texts(known: str, finding: Finding) -> str:
    new = [line for text in _texts(finding) if (line := text.casefold()) not in known]
    return search.folded([known, *new]) if new and len(known) < search.MAX_TEXT else known


def _texts(finding: Finding) -> tuple[str, ...]:
    about = (finding.title, finding.path, finding.image, finding.sha256)
    return (*about, finding.namespace, finding.workload, finding.pod, finding.node)


def _key(alert: Row, names: _Names) -> str:
    return hashlib.sha256(json.dumps([alert["id"], alert["cluster"], *names]).encode()).hexdigest()
