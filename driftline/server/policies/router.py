"""Endpoints of policies: versions, differences, roll back, and the version of each sensor.

The name of a policy is the name of its cluster; ``default`` is for every cluster without a policy of its own.
"""

from __future__ import annotations

import difflib
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from driftline import policy as drift
from driftline.errors import NotFound
from driftline.server.audit.trail import AppTrail, Trail
from driftline.server.auth import Caller, Principal, needs
from driftline.server.clock import Clock
from driftline.server.http.choices import nearest
from driftline.server.http.paging import Cursor, Limit, Page, decode_cursor, page_of
from driftline.server.http.parts import AppClock, AppHub, AppState
from driftline.server.policies.cache import DEFAULT_NAME, AppPolicies, PolicyCache
from driftline.server.policies.schemas import (
    Diff,
    NewVersion,
    PolicyInfo,
    PutPolicy,
    Rollback,
    SensorPolicy,
    VersionInfo,
)
from driftline.server.signals import POLICIES, Hub
from driftline.server.state import policies, sensors
from driftline.server.state.audit import Action

__all__ = ["router"]

router = APIRouter(prefix="/policies", tags=["policies"])

Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", examples=["default"])]
Version = Annotated[int, Query(ge=1, le=2**31)]


@dataclass(frozen=True, slots=True)
class _Publisher:
    request: Request
    trail: Trail
    hub: Hub
    clock: Clock
    caller: Principal

    def publish(self, name: str, new: NewVersion, *, action: Action) -> PutPolicy:
        """Put a version in force and wake the sensors that wait for one; ``action`` names it in the audit trail."""
        with self.trail.changing(self.request, self.caller.name, action, name, message=new.message) as session:
            made = policies.add_version(
                session,
                name,
                text=new.text,
                author=self.caller.name,
                message=new.message,
                now=self.clock.now(),
                if_version=new.if_version,
            )
            counts = sensors.count_by_cluster(session)
            with_own = {row.name for row in policies.all_latest(session)}
            answer = PutPolicy.model_validate(made)
        answer.sensors, answer.note = _reach(name, counts, with_own, self.caller)
        self.hub.signal(POLICIES)
        return answer


# A policy may be stored before the first sensor of its cluster enrols; a misspelt name must not look as if it were.
def _reach(name: str, counts: Mapping[str, int], with_own: Container[str], caller: Principal) -> tuple[int, str]:
    if name == DEFAULT_NAME:
        return sum(count for cluster, count in counts.items() if cluster not in with_own), ""
    if name in counts:
        return counts[name], ""
    known = [cluster for cluster in counts if caller.sees(cluster)]
    return 0, f"no sensor of a cluster {name!r} is enrolled{nearest(name, known)}"


async def _publisher(request: Request, trail: AppTrail, hub: AppHub, clock: AppClock, caller: Caller) -> _Publisher:
    return _Publisher(request, trail, hub, clock, caller)


Publishing = Annotated[_Publisher, Depends(_publisher)]


@router.get("", dependencies=[needs("policies:read")])
def list_policies(state: AppState, caller: Caller) -> list[VersionInfo]:
    """List the version in force of each policy."""
    with state.reading() as session:
        rows = policies.all_latest(session)
    return [VersionInfo.model_validate(row) for row in rows if row.name == DEFAULT_NAME or caller.sees(row.name)]


@router.get("/sensors", dependencies=[needs("policies:read")])
def list_policies_of_sensors(
    state: AppState, current: AppPolicies, caller: Caller, limit: Limit = 100, cursor: Cursor = ""
) -> Page[SensorPolicy]:
    """List for each sensor the version it runs, and whether that is the version in force."""
    key = decode_cursor(cursor, str)
    with state.reading() as session:
        rows = policies.list_acks(session, caller.visible, after=key[0] if key else "", limit=limit + 1)
    return page_of(rows, limit=limit, item=lambda row: _compared(current, row), key=lambda row: (row.sensor,))


def _compared(current: PolicyCache, row: Any) -> SensorPolicy:
    wanted = current.of(row.cluster)
    runs_it = wanted is not None and (row.name, row.version, row.error) == (wanted.name, wanted.version, "")
    told = SensorPolicy.model_validate(row)
    return told.model_copy(update={"wanted": wanted.version if wanted else 0, "current": runs_it})


@router.get("/{name}", dependencies=[needs("policies:read")])
def get_policy(name: Name, state: AppState, caller: Caller) -> PolicyInfo:
    """Return the version in force of a policy."""
    _check_read(caller, name)
    with state.reading() as session:
        return PolicyInfo.model_validate(policies.find_latest(session, name))


@router.put("/{name}", dependencies=[needs("policies:write")])
def put_policy(name: Name, body: NewVersion, publisher: Publishing, caller: Caller) -> PutPolicy:
    """Put a new version in force; an invalid one is refused with the place of every error.

    Sensors of the cluster get it within seconds. With `if_version` the new version is a conflict unless that version is
    in force. The default policy can be changed only with a grant for all clusters.
    """
    _check_write(caller, name)
    drift.load(body.text, source=name)
    return publisher.publish(name, body, action="policy.put")


@router.get("/{name}/versions", dependencies=[needs("policies:read")])
def list_versions(
    name: Name, state: AppState, caller: Caller, limit: Limit = 100, cursor: Cursor = ""
) -> Page[VersionInfo]:
    """List the versions of a policy, newest first."""
    _check_read(caller, name)
    key = decode_cursor(cursor, int)
    with state.reading() as session:
        policies.find_latest(session, name)
        rows = policies.list_versions(session, name, before=key[0] if key else None, limit=limit + 1)
    return page_of(rows, limit=limit, item=VersionInfo.model_validate, key=lambda row: (row.version,))


@router.get("/{name}/versions/{version}", dependencies=[needs("policies:read")])
def get_version(
    name: Name, version: Annotated[int, Path(ge=1, le=2**31)], state: AppState, caller: Caller
) -> PolicyInfo:
    """Return one version of a policy."""
    _check_read(caller, name)
    with state.reading() as session:
        return PolicyInfo.model_validate(policies.find_version(session, name, version))


@router.get("/{name}/diff", dependencies=[needs("policies:read")])
def diff_versions(name: Name, from_version: Version, to_version: Version, state: AppState, caller: Caller) -> Diff:
    """Return the differences between two versions, as a unified diff."""
    _check_read(caller, name)
    with state.reading() as session:
        old, new = (policies.find_version(session, name, each) for each in (from_version, to_version))
    lines = difflib.unified_diff(
        old.text.splitlines(keepends=True),
        new.text.splitlines(keepends=True),
        f"{name} version {from_version}",
        f"{name} version {to_version}",
    )
    return Diff(name=name, from_version=from_version, to_version=to_version, diff="".join(lines))


@router.post("/{name}/rollback", status_code=201, dependencies=[needs("policies:write")])
def roll_back(name: Name, body: Rollback, state: AppState, publisher: Publishing, caller: Caller) -> PutPolicy:
    """Put the text of an earlier version in force, as a new version.

    The text is checked again, so a version that this server no longer accepts is refused.
    """
    _check_write(caller, name)
    with state.reading() as session:
        text = policies.find_version(session, name, body.version).text
    drift.load(text, source=name)
    message = body.message or f"roll back to version {body.version}"
    return publisher.publish(name, NewVersion(text=text, message=message), action="policy.rollback")


# The default policy applies to the caller's clusters, too, so every caller may read it.
def _check_read(caller: Principal, name: str) -> None:
    if name != DEFAULT_NAME and not caller.sees(name):
        raise NotFound(f"no policy {name!r}")


# Changing the default policy changes clusters that are not granted, so it takes a grant for all.
def _check_write(caller: Principal, name: str) -> None:
    if name == DEFAULT_NAME:
        caller.check_everywhere()
    elif not caller.sees(name):
        raise NotFound(f"no policy {name!r}, or its cluster is not granted to you")
