"""Endpoints of sensors and clusters, of join tokens, and of revocation."""

from __future__ import annotations

import datetime
from collections import defaultdict
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request

from driftline.errors import NotFound
from driftline.server.audit.trail import AppTrail
from driftline.server.auth import Caller, Principal, needs
from driftline.server.fleet import status
from driftline.server.fleet.gateway import AppGateway, Gateway
from driftline.server.fleet.schemas import (
    ClusterInfo,
    JoinTokenInfo,
    MadeToken,
    NewToken,
    PolicyRun,
    Revocation,
    SensorInfo,
    clusters_of,
    sensor_info,
)
from driftline.server.fleet.status import Condition
from driftline.server.http.choices import any_case
from driftline.server.http.paging import Cursor, Limit, Page, decode_cursor, page_of
from driftline.server.http.parts import AppClock, AppState
from driftline.server.state import State, policies, sensors
from driftline.server.state.models import PolicyAck, PolicyVersion

__all__ = ["router"]

router = APIRouter(tags=["fleet"])

Problem = Literal["silent", "clock-off", "losses", "tampered", "any"]
Filter = Annotated[str, Query(max_length=253)]
_MOST = 1_000_000  # acknowledgements: all, since a sensor has at most one


@router.get("/clusters", dependencies=[needs("sensors:read")])
def list_clusters(state: AppState, gateway: AppGateway, caller: Caller) -> list[ClusterInfo]:
    """List the clusters that have sensors, with the numbers of sensors and of sensors with a problem."""
    return clusters_of(_visible(state, gateway, caller))


@dataclass(frozen=True, slots=True)
class SensorFilter:
    """Conditions on sensors; an empty one matches all."""

    cluster: str
    node: str
    problem: str
    revoked: bool

    def matches(self, sensor: SensorInfo) -> bool:
        """Return whether a sensor meets the conditions."""
        has_problem = any(self.problem in ("any", each.kind) for each in sensor.problems)
        return (
            self.cluster in ("", sensor.cluster)
            and self.node in ("", sensor.node)
            and (has_problem or not self.problem)
            and (self.revoked or sensor.revoked is None)
        )


def _sensor_filter(
    cluster: Filter = "",
    node: Filter = "",
    problem: Annotated[
        Problem | None, Query(description="Only sensors with this problem; `any`: with at least one"), any_case(Problem)
    ] = None,
    revoked: Annotated[bool, Query(description="Include revoked sensors")] = False,
) -> SensorFilter:
    return SensorFilter(cluster, node, problem or "", revoked)


@router.get("/sensors", dependencies=[needs("sensors:read")])
def list_sensors(
    state: AppState,
    gateway: AppGateway,
    caller: Caller,
    chosen: Annotated[SensorFilter, Depends(_sensor_filter)],
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Page[SensorInfo]:
    """List sensors by cluster and node, with version, coverage, policy, losses and problems.

    Only sensors of granted clusters are listed; revoked ones are left out unless asked for.
    """
    after = tuple(decode_cursor(cursor, str, str, str) or ())
    found = [it for it in _visible(state, gateway, caller) if chosen.matches(it) and _key(it) > after]
    return page_of(found, limit=limit, item=lambda sensor: sensor, key=_key)


@router.get("/sensors/{sensor}", dependencies=[needs("sensors:read")])
def get_sensor(sensor: str, state: AppState, gateway: AppGateway, caller: Caller) -> SensorInfo:
    """Return one sensor."""
    return _find(state, gateway, caller, sensor)


@router.post("/sensors/{sensor}/revoke", status_code=204, dependencies=[needs("sensors:write")])
def revoke_sensor(
    sensor: str,
    body: Revocation,
    request: Request,
    state: AppState,
    trail: AppTrail,
    clock: AppClock,
    gateway: AppGateway,
    caller: Caller,
) -> None:
    """Revoke a sensor: it is refused from now on, also on open connections."""
    found = _find(state, gateway, caller, sensor)
    now = clock.now()
    with trail.changing(request, caller.name, "sensor.revoke", sensor, node=found.node, reason=body.reason) as session:
        sensors.revoke(session, sensor, reason=body.reason, now=now)
    gateway.forget(sensor)


@router.get("/join-tokens", dependencies=[needs("sensors:write")])
def list_join_tokens(state: AppState, caller: Caller) -> list[JoinTokenInfo]:
    """List the join tokens without their secrets, latest expiry first."""
    with state.reading() as session:
        rows = sensors.list_join_tokens(session)
    return [JoinTokenInfo.model_validate(row) for row in rows if caller.sees(row.cluster)]


@router.post("/join-tokens", status_code=201, dependencies=[needs("sensors:write")])
def make_join_token(
    body: NewToken, request: Request, trail: AppTrail, clock: AppClock, gateway: AppGateway, caller: Caller
) -> MadeToken:
    """Create a join token for one sensor; only this response has its secret.

    The token contains the fingerprint of the server's certificate authority, by which the sensor verifies the server.
    """
    caller.check_cluster(body.cluster)
    expires = clock.now() + datetime.timedelta(hours=body.hours)
    detail = {"node": body.node, "hours": body.hours}
    with trail.changing(request, caller.name, "join-token.make", body.cluster, **detail) as session:
        made = sensors.add_join_token(
            session,
            fingerprint=gateway.authority.fingerprint,
            cluster=body.cluster,
            node=body.node,
            made_by=caller.name,
            expires=expires,
        )
    return MadeToken(token=made.text(), expires=expires)


@router.delete("/join-tokens/{token_id}", status_code=204, dependencies=[needs("sensors:write")])
def remove_join_token(token_id: str, request: Request, state: AppState, trail: AppTrail, caller: Caller) -> None:
    """Remove a join token; the sensor that used it stays enrolled."""
    with state.reading() as session:
        tokens = sensors.list_join_tokens(session)
    if not any(token.id == token_id and caller.sees(token.cluster) for token in tokens):
        raise NotFound(f"no join token {token_id!r}")
    with trail.changing(request, caller.name, "join-token.remove", token_id) as session:
        sensors.remove_join_token(session, token_id)


def _key(sensor: SensorInfo) -> tuple[str, str, str]:
    return sensor.cluster, sensor.node, sensor.sensor


def _find(state: State, gateway: Gateway, caller: Principal, sensor: str) -> SensorInfo:
    found = next((it for it in _visible(state, gateway, caller) if it.sensor == sensor), None)
    if found is None:
        raise NotFound(f"no sensor {sensor!r}")
    return found


# All visible sensors are composed for each request, also for a request of one; their states are in memory.
def _visible(state: State, gateway: Gateway, caller: Principal) -> list[SensorInfo]:
    states = {it.sensor: it for it in gateway.sensor_states.states()}
    conditions: defaultdict[str, list[Condition]] = defaultdict(list)
    for condition in gateway.conditions():
        conditions[condition.sensor].append(condition)
    with state.reading() as session:
        acks = {it.sensor: it for it in policies.list_acks(session, caller.visible, after="", limit=_MOST)}
        records = sensors.list_sensors(session)
    found = []
    for record in records:
        identity = record.identity
        if caller.sees(identity.cluster):
            known = states.get(identity.sensor) or status.new_state(identity)
            wanted = gateway.wanted_policy(identity.cluster)
            run = _run(wanted, known.policy, acks.get(identity.sensor))
            found.append(sensor_info(record, known, conditions[identity.sensor], policy=run))
    return sorted(found, key=_key)


# The acknowledgement is newer than the heartbeat, which follows seconds later. A sensor whose policy is a local file
# reports a name without ":" and acknowledges nothing, so its heartbeat counts.
def _run(wanted: PolicyVersion | None, said: str, ack: PolicyAck | None) -> PolicyRun:
    label = f"{wanted.name}:{wanted.version}" if wanted else ""
    running = f"{ack.name}:{ack.version}" if ack and not ack.error and ":" in said else said
    return PolicyRun(running=running, wanted=label, current=running == label, error=ack.error if ack else "")
