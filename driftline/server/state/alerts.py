"""Queries on alerts, their history and suppression rules.

A finding of a sensor becomes an occurrence of an alert. While an alert is open, ``open_key`` is the group key
of its findings, and further findings with this key are counted in it. Resolving clears the key, so that the
next finding opens a new alert. Every change gets the next number of one counter, by which live streams resume
where they were. Times are UTC.
"""

from __future__ import annotations

import datetime
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, Select, bindparam, delete, or_, select
from sqlalchemy.orm import Session, selectinload

from driftline.errors import Conflict, NotFound
from driftline.server.state import search
from driftline.server.state.models import Alert, AlertHistory, AlertPlace, Base, Counter, Meta, Occurrence, Suppression

__all__ = [
    "Row",
    "Wanted",
    "add_history",
    "add_rows",
    "add_suppression",
    "change_rows",
    "changed_after",
    "drop_occurrences",
    "find_alert",
    "find_open",
    "find_places",
    "find_suppression",
    "known",
    "last_change",
    "list_alerts",
    "list_history",
    "list_open",
    "list_places",
    "list_suppressions",
    "next_changes",
    "open_again",
    "position",
    "remove_suppression",
    "resolve",
    "set_position",
    "touch",
]

Time = datetime.datetime
Clusters = Sequence[str] | None
"""The visible clusters; ``None`` for all."""

_COUNTER = "alerts"
_POSITION = "alerts.position"
_MAX_IDS = 500  # in one query: databases limit the number of its parameters
Row = dict[str, Any]
"""A row by column."""

# Ingestion of findings


def position(session: Session) -> Time | None:
    """Return the time up to which the alerts of the store have been read; ``None`` at the first start."""
    found = session.get(Meta, _POSITION)
    return datetime.datetime.fromisoformat(found.value) if found else None


def set_position(session: Session, moment: Time) -> None:
    """Record the time up to which the alerts of the store have been read."""
    session.merge(Meta(name=_POSITION, value=moment.isoformat()))


def known(session: Session, ids: Sequence[str]) -> set[str]:
    """Return those of the ids that are already counted as occurrences."""
    found: set[str] = set()
    for begin in range(0, len(ids), _MAX_IDS):
        found |= set(session.scalars(select(Occurrence.id).where(Occurrence.id.in_(ids[begin : begin + _MAX_IDS]))))
    return found


def drop_occurrences(session: Session, before: Time) -> None:
    """Remove the occurrences before a time, whose findings can no longer arrive again."""
    session.execute(delete(Occurrence).where(Occurrence.at < before))


def find_open(session: Session, keys: Sequence[str]) -> dict[str, Row]:
    """Return by open key the rows of the alerts that count the findings of these keys; without those yet to be opened.

    Findings are counted in plain rows, by column: objects of the ORM take three times as long.
    """
    return {row["open_key"]: row for row in _find_in(session, Alert, "open_key", keys)}


def find_places(session: Session, keys: Sequence[str]) -> dict[str, Row]:
    """Return by key the rows of the places with these keys that are stored."""
    return {row["key"]: row for row in _find_in(session, AlertPlace, "key", keys)}


def _find_in(session: Session, model: type[Base], column: str, keys: Sequence[str]) -> Iterator[Row]:
    table = model.__table__
    for begin in range(0, len(keys), _MAX_IDS):
        found = session.execute(select(table).where(table.c[column].in_(keys[begin : begin + _MAX_IDS])))
        yield from (dict(row) for row in found.mappings())


def add_rows(session: Session, model: type[Base], rows: Sequence[Row]) -> None:
    """Insert rows, each with the same columns, into the table of a model."""
    if rows:
        session.execute(sqlalchemy.insert(model.__table__), rows)  # type: ignore[arg-type] # a table, not an alias of one


def change_rows(session: Session, model: type[Base], changed: Iterable[tuple[Row, Row]]) -> None:
    """Update rows of the table of a model, given as pairs of the row as it was read and as it is now."""
    table = model.__table__
    together: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for old, new in changed:
        names = tuple(name for name, value in new.items() if value is not old[name])
        together[names].append({"_id": new["id"], **{name: new[name] for name in names}})
    for names, rows in together.items():
        query = sqlalchemy.update(table).where(table.c.id == bindparam("_id"))  # type: ignore[arg-type] # see add_rows
        if names:
            session.connection().execute(query.values({name: bindparam(name) for name in names}), rows)


def next_changes(session: Session, count: int) -> range:
    """Return the next change numbers for ``count`` alerts."""
    counter = session.info.get(_COUNTER) or _locked_counter(session)
    counter.value += count
    return range(counter.value - count + 1, counter.value + 1)


def touch(session: Session, alert: Alert, now: Time) -> None:
    """Assign the next change number to an alert, so that live streams send it."""
    (alert.change,) = next_changes(session, 1)
    alert.updated_at = now


# The row stays locked until the commit: otherwise a number could become visible before a lower one, and a live stream
# would skip the lower one.
def _locked_counter(session: Session) -> Counter:
    counter = session.get(Counter, _COUNTER, with_for_update=True) or Counter(name=_COUNTER, value=0)
    session.add(counter)
    session.info[_COUNTER] = counter
    return counter


# Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A filter for alerts; an empty value does not filter."""

    clusters: Clusters
    equal: Mapping[str, str] = field(default_factory=dict)
    """Wanted values by column of ``Alert``."""
    begins: str = ""
    """Start of the id."""
    place: Mapping[str, str] = field(default_factory=dict)
    """Wanted values by column of ``AlertPlace``; one place of the alert has all of them."""
    text: str = ""
    """Text in the title, path, image or digest of the file, or in the names of a place, whatever its case."""
    since: Time | None = None
    """Earliest time of the latest occurrence."""
    until: Time | None = None
    """End of the times of the latest occurrence, not included."""
    suppressed: bool = False
    """Whether to include alerts that a suppression rule resolved."""


def find_alert(session: Session, alert_id: str, *, clusters: Clusters) -> Alert:
    """Return the alert with an id, and its newest places; raises ``NotFound``, also for an alert of another cluster."""
    alert = session.get(Alert, alert_id, options=[_PLACES])
    if alert is None or (clusters is not None and alert.cluster not in clusters):
        raise NotFound(f"no alert {alert_id!r}")
    return alert


def list_alerts(session: Session, wanted: Wanted, *, after: tuple[Time, str] | None, limit: int) -> list[Alert]:
    """Return at most ``limit`` alerts, the last seen first.

    ``after`` has the time of the latest occurrence and the id of the previous page's last alert; ``None`` for the
    first page.
    """
    query = _filtered(session, select(Alert).options(_PLACES), wanted)
    if after:
        moment, alert_id = after
        query = query.where(or_(Alert.last_seen < moment, (Alert.last_seen == moment) & (Alert.id > alert_id)))
    return list(session.scalars(query.order_by(Alert.last_seen.desc(), Alert.id).limit(limit)))


def _filtered(session: Session, query: Select[Alert], wanted: Wanted) -> Select[Alert]:
    conditions: list[ColumnElement[bool]] = [
        getattr(Alert, name) == value for name, value in wanted.equal.items() if value
    ]
    if wanted.begins:
        conditions.append(Alert.id.startswith(wanted.begins, autoescape=True))
    if any(wanted.place.values()):
        conditions.append(Alert.id.in_(_with_place(wanted.place)))
    if wanted.clusters is not None:
        conditions.append(Alert.cluster.in_(wanted.clusters))
    if wanted.text:
        conditions.append(search.has_text(session, wanted.text))
    if wanted.since:
        conditions.append(Alert.last_seen >= wanted.since)
    if wanted.until:
        conditions.append(Alert.last_seen < wanted.until)
    if not wanted.suppressed:
        conditions.append(Alert.suppressed_by.is_(None))
    return query.where(*conditions)


def _with_place(wanted: Mapping[str, str]) -> Select[str]:
    columns = (getattr(AlertPlace, name) == value for name, value in wanted.items() if value)
    return select(AlertPlace.alert_id).where(*columns)


_PLACES = selectinload(Alert.places)


def changed_after(session: Session, change: int, *, clusters: Clusters, limit: int) -> list[Alert]:
    """Return at most ``limit`` alerts with change numbers above ``change``, in ascending order.

    Suppressed alerts are left out.
    """
    query = select(Alert).options(_PLACES).where(Alert.change > change, Alert.suppressed_by.is_(None))
    query = query.where(Alert.cluster.in_(clusters)) if clusters is not None else query
    return list(session.scalars(query.order_by(Alert.change).limit(limit)))


def list_places(session: Session, alert_id: str, *, after: int, limit: int) -> list[AlertPlace]:
    """Return at most ``limit`` places of an alert with numbers above ``after``, in the order of their discovery."""
    query = select(AlertPlace).where(AlertPlace.alert_id == alert_id, AlertPlace.number > after)
    return list(session.scalars(query.order_by(AlertPlace.number).limit(limit)))


def last_change(session: Session) -> int:
    """Return the number of the latest change of any alert; 0 before the first."""
    found = session.get(Counter, _COUNTER)
    return found.value if found else 0


# Changing


def open_again(session: Session, alert: Alert) -> None:
    """Let a resolved alert count repeats again; raises ``Conflict`` if another alert is open for the same finding."""
    key = f":{alert.group_key}"
    other = session.scalar(select(Alert).where(Alert.open_key == key, Alert.id != alert.id))
    if other:
        raise Conflict(f"the alert {other.id} is open for the same finding; work on that one")
    alert.open_key, alert.suppressed_by = key, None


def list_open(session: Session, detection_source: str) -> list[Alert]:
    """Return the open alerts of a detection source, without suppressed ones."""
    query = select(Alert).where(Alert.open_key.is_not(None), Alert.detection_source == detection_source)
    return list(session.scalars(query.where(Alert.suppressed_by.is_(None))))


def resolve(session: Session, alert: Alert, *, actor: str, comment: str, now: Time) -> None:
    """Resolve an alert without a classification; the next finding of its group opens a new alert."""
    changes = {"status": [alert.status, "resolved"]}
    alert.status, alert.open_key = "resolved", None
    touch(session, alert, now)
    add_history(session, alert, actor=actor, action="resolve", changes=changes, comment=comment, at=now)


def add_history(
    session: Session, alert: Alert, *, actor: str, action: str, changes: Mapping[str, Any], comment: str, at: Time
) -> None:
    """Add an entry to the history of an alert; ``changes`` has a list of the old and the new value by field."""
    session.add(
        AlertHistory(alert_id=alert.id, at=at, actor=actor, action=action, changes=dict(changes), comment=comment)
    )


def list_history(session: Session, alert_id: str, *, after: int, limit: int) -> list[AlertHistory]:
    """Return at most ``limit`` history entries of an alert with ids above ``after``, the oldest first."""
    query = select(AlertHistory).where(AlertHistory.alert_id == alert_id, AlertHistory.id > after)
    return list(session.scalars(query.order_by(AlertHistory.id).limit(limit)))


# Suppression rules


def list_suppressions(session: Session, *, clusters: Clusters) -> list[Suppression]:
    """Return the suppression rules for these clusters and for all clusters, sorted by name."""
    query = select(Suppression).order_by(Suppression.name)
    if clusters is not None:
        query = query.where(or_(Suppression.cluster.is_(None), Suppression.cluster.in_(clusters)))
    return list(session.scalars(query))


def add_suppression(
    session: Session,
    name: str,
    *,
    reason: str,
    conditions: Mapping[str, Any],
    expires_at: Time | None,
    created_by: str,
    now: Time,
) -> Suppression:
    """Add a suppression rule and return it; raises ``Conflict`` if the name is taken.

    ``conditions`` has the fields of ``suppress.Conditions`` that are set; ``expires_at`` is ``None`` for no expiry.
    """
    if session.scalar(select(Suppression).where(Suppression.name == name)):
        raise Conflict(f"there is a suppression rule {name!r} already")
    rule = Suppression(
        id=uuid.uuid4().hex,
        name=name,
        reason=reason,
        conditions=dict(conditions),
        cluster=conditions.get("cluster"),
        expires_at=expires_at,
        created_by=created_by,
        created_at=now,
        hits=0,
    )
    session.add(rule)
    session.flush()
    return rule


def find_suppression(session: Session, rule_id: str) -> Suppression:
    """Return the suppression rule with an id; raises ``NotFound``."""
    rule = session.get(Suppression, rule_id)
    if rule is None:
        raise NotFound(f"no suppression rule {rule_id!r}")
    return rule


# Its alerts stay resolved. They keep their open keys, which have the id of the rule and so match no finding any more.
def remove_suppression(session: Session, rule: Suppression) -> None:
    """Remove a suppression rule."""
    session.delete(rule)
