"""Policies over HTTP: versions, differences, roll back, and which sensor runs which.

A policy has the name of the cluster it is for; ``default`` is for every cluster without its own.
"""

from __future__ import annotations

import difflib
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from driftline import policy as drift
from driftline.errors import NotFound
from driftline.server.audit import trail
from driftline.server.auth import Caller, Principal, needs
from driftline.server.context import Context, Here, context_of
from driftline.server.http.paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from driftline.server.policies.current import DEFAULT_NAME, TOPIC
from driftline.server.policies.schemas import Diff, NewVersion, PolicyInfo, Rollback, SensorPolicy, VersionInfo
from driftline.server.state import policies

__all__ = ["router"]

router = APIRouter(prefix="/policies", tags=["policies"])

Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", examples=["default"])]
Version = Annotated[int, Query(ge=1, le=2**31)]


@router.get("", dependencies=[needs("policies:read")])
def list_policies(here: Here, caller: Caller) -> list[VersionInfo]:
    """List the version in force of each policy."""
    with here.state.reading() as session:
        rows = policies.all_latest(session)
    return [VersionInfo.model_validate(row) for row in rows if row.name == DEFAULT_NAME or caller.sees(row.name)]


@router.get("/sensors", dependencies=[needs("policies:read")])
def list_policies_of_sensors(here: Here, caller: Caller, limit: Limit = 100, cursor: Cursor = "") -> Page[SensorPolicy]:
    """List which sensor runs which version, and whether that is the one in force."""
    key = decode_cursor(cursor, str)
    with here.state.reading() as session:
        rows = policies.list_acks(session, caller.visible, after=key[0] if key else "", limit=limit + 1)
    more = encode_cursor(rows[limit - 1].sensor) if len(rows) > limit else ""
    return Page(items=[_compared(here, row) for row in rows[:limit]], next=more)


def _compared(here: Context, row: Any) -> SensorPolicy:
    wanted = here.current.of(row.cluster)
    current = wanted is not None and (row.name, row.version, row.error) == (wanted.name, wanted.version, "")
    told = SensorPolicy.model_validate(row)
    return told.model_copy(update={"wanted": wanted.version if wanted else 0, "current": current})


@router.get("/{name}", dependencies=[needs("policies:read")])
def get_policy(name: Name, here: Here, caller: Caller) -> PolicyInfo:
    """Give the version in force of a policy."""
    _check_read(caller, name)
    with here.state.reading() as session:
        return PolicyInfo.model_validate(policies.find_latest(session, name))


@router.put("/{name}", dependencies=[needs("policies:write")])
def put_policy(name: Name, body: NewVersion, request: Request, caller: Caller) -> PolicyInfo:
    """Put a new version in force, if it is right; every place that is wrong is told."""
    _check_write(caller, name)
    drift.load(body.text, source=name)
    return _put(request, caller, name, "policy.put", body)


@router.get("/{name}/versions", dependencies=[needs("policies:read")])
def list_versions(name: Name, here: Here, caller: Caller, limit: Limit = 100, cursor: Cursor = "") -> Page[VersionInfo]:
    """List the versions of a policy, the newest first."""
    _check_read(caller, name)
    key = decode_cursor(cursor, int)
    with here.state.reading() as session:
        policies.find_latest(session, name)
        rows = policies.list_versions(session, name, before=key[0] if key else None, limit=limit + 1)
    more = encode_cursor(rows[limit - 1].version) if len(rows) > limit else ""
    return Page(items=[VersionInfo.model_validate(row) for row in rows[:limit]], next=more)


@router.get("/{name}/versions/{version}", dependencies=[needs("policies:read")])
def get_version(name: Name, version: Annotated[int, Path(ge=1, le=2**31)], here: Here, caller: Caller) -> PolicyInfo:
    """Give one version of a policy."""
    _check_read(caller, name)
    with here.state.reading() as session:
        return PolicyInfo.model_validate(policies.find_version(session, name, version))


@router.get("/{name}/diff", dependencies=[needs("policies:read")])
def diff_versions(name: Name, from_version: Version, to_version: Version, here: Here, caller: Caller) -> Diff:
    """Give what changed between two versions."""
    _check_read(caller, name)
    with here.state.reading() as session:
        old, new = (policies.find_version(session, name, each) for each in (from_version, to_version))
    lines = difflib.unified_diff(
        old.text.splitlines(keepends=True),
        new.text.splitlines(keepends=True),
        f"{name} version {from_version}",
        f"{name} version {to_version}",
    )
    return Diff(name=name, from_version=from_version, to_version=to_version, diff="".join(lines))


@router.post("/{name}/rollback", status_code=201, dependencies=[needs("policies:write")])
def roll_back(name: Name, body: Rollback, request: Request, here: Here, caller: Caller) -> PolicyInfo:
    """Put the text of an earlier version in force, as a new version."""
    _check_write(caller, name)
    with here.state.reading() as session:
        text = policies.find_version(session, name, body.version).text
    drift.load(text, source=name)
    message = body.message or f"roll back to version {body.version}"
    return _put(request, caller, name, "policy.rollback", NewVersion(text=text, message=message))


def _put(request: Request, caller: Principal, name: str, action: str, new: NewVersion) -> PolicyInfo:
    here = context_of(request)
    with trail.changing(request, caller, action, name, message=new.message) as session:
        made = policies.add_version(
            session,
            name,
            text=new.text,
            author=caller.name,
            message=new.message,
            now=here.now(),
            if_version=new.if_version,
        )
        answer = PolicyInfo.model_validate(made)
    here.hub.signal(TOPIC)
    return answer


# What holds by default holds in one's own clusters, too.
def _check_read(caller: Principal, name: str) -> None:
    if name != DEFAULT_NAME and not caller.sees(name):
        raise NotFound(f"no policy {name!r}")


def _check_write(caller: Principal, name: str) -> None:
    if name == DEFAULT_NAME:
        caller.check_everywhere()
    elif not caller.sees(name):
        raise NotFound(f"no policy {name!r}, or its cluster is not granted to you")
