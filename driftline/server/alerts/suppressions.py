"""Endpoints of suppression rules."""

from __future__ import annotations

from fastapi import APIRouter, Request

from driftline.errors import NotFound
from driftline.server.alerts.schemas import NewSuppression, SuppressionInfo
from driftline.server.audit.trail import AppTrail
from driftline.server.auth import Caller, Principal, needs
from driftline.server.http.parts import AppClock, AppState
from driftline.server.state import alerts

__all__ = ["router"]

router = APIRouter(prefix="/suppressions", tags=["alerts"])


@router.get("", dependencies=[needs("alerts:read")])
def list_suppressions(state: AppState, caller: Caller) -> list[SuppressionInfo]:
    """List by name the suppression rules of the granted clusters, and those of all clusters."""
    with state.reading() as session:
        rows = alerts.list_suppressions(session, clusters=caller.visible)
    return [SuppressionInfo.model_validate(row) for row in rows]


@router.post("", status_code=201, dependencies=[needs("alerts:write")])
def make_suppression(
    body: NewSuppression, request: Request, trail: AppTrail, clock: AppClock, caller: Caller
) -> SuppressionInfo:
    """Create a suppression rule: matching alerts are counted and resolved when they arrive.

    Alerts that exist already keep their status. A rule without a cluster applies to all clusters, and only a caller
    with a grant for all can create it.
    """
    conditions = body.conditions.model_dump(exclude_none=True)
    _check_reach(caller, body.conditions.cluster)
    with trail.changing(request, caller.name, "suppression.make", body.name, conditions=conditions) as session:
        rule = alerts.add_suppression(
            session,
            body.name,
            reason=body.reason,
            conditions=conditions,
            expires_at=body.expires_at,
            created_by=caller.name,
            now=clock.now(),
        )
        return SuppressionInfo.model_validate(rule)


@router.delete("/{rule_id}", status_code=204, dependencies=[needs("alerts:write")])
def remove_suppression(rule_id: str, request: Request, trail: AppTrail, caller: Caller) -> None:
    """Remove a suppression rule; alerts that it resolved stay resolved."""
    with trail.changing(request, caller.name, "suppression.remove", rule_id) as session:
        rule = alerts.find_suppression(session, rule_id)
        if rule.cluster and not caller.sees(rule.cluster):
            raise NotFound(f"no suppression rule {rule_id!r}")
        _check_reach(caller, rule.cluster)
        alerts.remove_suppression(session, rule)


# A rule without a cluster suppresses alerts of all clusters, so it takes a grant of all.
def _check_reach(caller: Principal, cluster: str | None) -> None:
    if cluster is None:
        caller.check_everywhere()
    else:
        caller.check_cluster(cluster)
