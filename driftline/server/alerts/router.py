"""Endpoints of alerts: lists, export, history and actions."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from driftline.errors import Conflict, InvalidInput
from driftline.server.alerts import states
from driftline.server.alerts.schemas import ActionRequest, AlertInfo, HistoryEntry, PlaceInfo, Transition
from driftline.server.audit.trail import AppTrail
from driftline.server.auth import Caller, needs
from driftline.server.http.choices import any_case
from driftline.server.http.paging import Cursor, Limit, Page, decode_cursor, page_of
from driftline.server.http.parts import AppClock, AppHub, AppState
from driftline.server.signals import ALERTS
from driftline.server.state import Session, alerts, users
from driftline.server.state.audit import Action as Recorded
from driftline.server.state.models import Alert

__all__ = ["router"]

router = APIRouter(prefix="/alerts", tags=["alerts"])

_EXPORT_PAGE = 500


Severity = Literal["Informational", "Low", "Medium", "High"]
InPlace = Annotated[str, Query(description="In one of the places of the alert, as the other conditions on places")]


def _wanted(  # noqa: PLR0917 -- FastAPI calls it, by name
    caller: Caller,
    alert_id: Annotated[str, Query(alias="id", description="Id, or the start of it", max_length=64)] = "",
    status: Annotated[states.Status | None, Query(), any_case(states.Status)] = None,
    severity: Annotated[Severity | None, Query(), any_case(Severity)] = None,
    classification: Annotated[states.Classification | None, Query(), any_case(states.Classification)] = None,
    assignee: str = "",
    cluster: str = "",
    namespace: InPlace = "",
    workload: InPlace = "",
    pod: InPlace = "",
    node: InPlace = "",
    image: str = "",
    sha256: str = "",
    rule: str = "",
    text: Annotated[str, Query(description="Text in title, path, image, hash, or names", max_length=256)] = "",
    since: Annotated[AwareDatetime | None, Query(description="Last seen at or after this time")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Last seen before this time")] = None,
    suppressed: Annotated[bool, Query(description="Include suppressed alerts")] = False,
) -> alerts.Wanted:
    equal = {
        "status": status or "",
        "severity": severity or "",
        "classification": classification or "",
        "assignee": assignee,
        "cluster": cluster,
        "image": image,
        "sha256": sha256.lower(),
        "rule": rule,
    }
    place = {"namespace": namespace, "workload": workload, "pod": pod, "node": node}
    return alerts.Wanted(
        clusters=caller.visible,
        begins=alert_id,
        equal=equal,
        place=place,
        text=text,
        since=since,
        until=until,
        suppressed=suppressed,
    )


Wanted = Annotated[alerts.Wanted, Depends(_wanted)]


@router.get("", dependencies=[needs("alerts:read")])
def list_alerts(state: AppState, wanted: Wanted, limit: Limit = 100, cursor: Cursor = "") -> Page[AlertInfo]:
    """List alerts, last seen first.

    All conditions must be met; suppressed alerts are left out unless asked for. Only alerts of granted clusters are
    listed.
    """
    with state.reading() as session:
        rows = alerts.list_alerts(session, wanted, after=_after(cursor), limit=limit + 1)
    return page_of(
        rows, limit=limit, item=AlertInfo.model_validate, key=lambda row: (row.last_seen.isoformat(), row.id)
    )


class JsonLines(StreamingResponse):
    """A response of JSON Lines: one JSON object per line."""

    media_type = "application/jsonl"


@router.get("/export", dependencies=[needs("alerts:read")], response_class=JsonLines)
def export_alerts(state: AppState, wanted: Wanted) -> JsonLines:
    """Return all matching alerts as JSON Lines, last seen first.

    The alerts are read a page at a time, so that an export of any size needs little memory; an alert that is seen
    again during the export may be missing.
    """

    def lines() -> Iterator[str]:
        after = None
        while True:
            with state.reading() as session:
                rows = alerts.list_alerts(session, wanted, after=after, limit=_EXPORT_PAGE)
            yield "".join(AlertInfo.model_validate(row).model_dump_json() + "\n" for row in rows)
            if len(rows) < _EXPORT_PAGE:
                return
            after = (rows[-1].last_seen, rows[-1].id)

    return JsonLines(lines())


@router.get("/lifecycle", dependencies=[needs("alerts:read")])
def get_lifecycle() -> list[Transition]:
    """Return the life cycle of alerts: the actions of each status and the status that each leads to."""
    return [
        Transition(status=status, action=action, leads_to=target)
        for (status, action), target in states.TRANSITIONS.items()
    ]


@router.get("/{alert_id}", dependencies=[needs("alerts:read")])
def get_alert(alert_id: str, state: AppState, caller: Caller) -> AlertInfo:
    """Return one alert."""
    with state.reading() as session:
        return AlertInfo.model_validate(alerts.find_alert(session, alert_id, clusters=caller.visible))


@router.get("/{alert_id}/history", dependencies=[needs("alerts:read")])
def get_history(
    alert_id: str, state: AppState, caller: Caller, limit: Limit = 100, cursor: Cursor = ""
) -> Page[HistoryEntry]:
    """List the actions on an alert, comments included, oldest first."""
    key = decode_cursor(cursor, int)
    with state.reading() as session:
        alerts.find_alert(session, alert_id, clusters=caller.visible)
        rows = alerts.list_history(session, alert_id, after=key[0] if key else 0, limit=limit + 1)
    return page_of(rows, limit=limit, item=HistoryEntry.model_validate, key=lambda row: (row.id,))


@router.get("/{alert_id}/places", dependencies=[needs("alerts:read")])
def list_places(
    alert_id: str, state: AppState, caller: Caller, limit: Limit = 100, cursor: Cursor = ""
) -> Page[PlaceInfo]:
    """List the places where an alert occurred, in the order of their discovery."""
    key = decode_cursor(cursor, int)
    with state.reading() as session:
        alerts.find_alert(session, alert_id, clusters=caller.visible)
        rows = alerts.list_places(session, alert_id, after=key[0] if key else 0, limit=limit + 1)
    return page_of(rows, limit=limit, item=PlaceInfo.model_validate, key=lambda row: (row.number,))


@router.post("/{alert_id}/actions", dependencies=[needs("alerts:write")])
def act(
    alert_id: str,
    body: ActionRequest,
    request: Request,
    trail: AppTrail,
    hub: AppHub,
    clock: AppClock,
    caller: Caller,
) -> AlertInfo:
    """Perform an action on an alert: start, release, resolve, reopen, assign, classify or comment.

    `/alerts/lifecycle` lists the actions of each status; another action is a conflict. With `if_change` the action is
    a conflict if the alert was changed meanwhile. The action becomes an entry of the alert's history.
    """
    states.check_classification(body.action, body.classification, body.determination)
    told = body.model_dump(exclude_none=True, exclude={"action", "comment", "if_change"})
    recorded = cast("Recorded", f"alert.{body.action}")
    with trail.changing(request, caller.name, recorded, alert_id, **told) as session:
        alert = alerts.find_alert(session, alert_id, clusters=caller.visible)
        if body.if_change not in (None, alert.change):
            raise Conflict(f"the alert was changed meanwhile; its latest change is {alert.change}")
        changes = _apply(session, alert, body)
        now = clock.now()
        alert.new_places = 0
        alerts.touch(session, alert, now)
        alerts.add_history(
            session, alert, actor=caller.name, action=body.action, changes=changes, comment=body.comment, at=now
        )
        session.flush()
        answer = AlertInfo.model_validate(alert)
    hub.signal(ALERTS)
    return answer


def _apply(session: Session, alert: Alert, body: ActionRequest) -> dict[str, list[Any]]:
    wanted: dict[str, Any] = {"status": states.next_status(cast("states.Status", alert.status), body.action)}
    if body.classification:
        wanted |= {"classification": body.classification, "determination": body.determination}
    if body.action == "assign":
        wanted["assignee"] = _assignee(session, alert, body.assignee)
    if body.action == "comment" and not body.comment:
        raise InvalidInput("comment: expected a text")
    _keep_group(session, alert, body.action)
    # The history shows only fields whose values changed.
    changes = {name: [getattr(alert, name), value] for name, value in wanted.items() if getattr(alert, name) != value}
    for name, value in wanted.items():
        setattr(alert, name, value)
    return changes


# A repeat of a resolved finding opens a new alert, so resolving gives up the key and reopening takes it again.
def _keep_group(session: Session, alert: Alert, action: states.Action) -> None:
    if action == "resolve":
        alert.open_key = None
    elif action == "reopen":
        alerts.open_again(session, alert)


def _assignee(session: Session, alert: Alert, name: str | None) -> str | None:
    if name is None:
        raise InvalidInput('assignee: expected the name of a user, or "" for no assignee')
    if not name:
        return None
    user = users.find_name(session, name)
    # An assignee must be able to open the alert; the same message for both reasons does not reveal names of users.
    if user is None or not {"*", alert.cluster} & set(user.clusters):
        raise InvalidInput(f"assignee: no user {name!r} with access to the cluster of this alert")
    return name


def _after(cursor: str) -> tuple[datetime.datetime, str] | None:
    key = decode_cursor(cursor, str, str)
    if key is None:
        return None
    try:
        moment = datetime.datetime.fromisoformat(key[0])
        return moment.astimezone(datetime.UTC), key[1]
    except (ValueError, OverflowError) as error:
        raise InvalidInput("cursor: expected the `next` of a page of this list") from error
