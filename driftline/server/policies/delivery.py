"""Endpoints that deliver policies to sensors: a long poll and an acknowledgement.

A sensor sends the ETag of the version it runs. The response follows at once if another version is in force, otherwise
when one is put in force, otherwise after ``wait`` seconds with status 304; then the sensor asks again. By ``PUT`` it
reports whether it applies the version.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Header, Query, Response

from driftline.errors import NotFound
from driftline.server.auth.peers import Peer
from driftline.server.http.parts import AppClock, AppHub, AppMetrics, part
from driftline.server.policies.cache import STALE, AppPolicies, PolicyCache
from driftline.server.policies.group_commit import GroupCommit
from driftline.server.signals import POLICIES, Hub
from driftline.server.state.models import PolicyVersion
from driftline.wire.protocol import Delivered, PolicyAck

__all__ = ["router"]

router = APIRouter(prefix="/sensor", tags=["sensors"])


@router.get(
    "/policy",
    response_model=Delivered,
    responses={304: {"description": "The version that the sensor runs is in force"}},
)
async def fetch_policy(
    current: AppPolicies,
    hub: AppHub,
    metrics: AppMetrics,
    peer: Peer,
    response: Response,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait for another version")] = 0,
    if_none_match: Annotated[str, Header(max_length=256, description="ETag of the version that the sensor runs")] = "",
) -> Delivered | Response:
    """Return the policy in force for the sensor's cluster, once it differs from the version that the sensor runs.

    `ETag` is the version; the sensor sends it back as `If-None-Match`. Status 304 after `wait` seconds without another
    version, or when the server is stopping.
    """
    with metrics.policy_waiters.track_inprogress():
        found = await _wait_other(current, hub, peer.cluster, if_none_match, time.monotonic() + wait)
    if found is None:
        return Response(status_code=304, headers={"ETag": if_none_match})
    response.headers["ETag"] = _etag(found)
    return Delivered.model_validate(found)


async def _wait_other(current: PolicyCache, hub: Hub, cluster: str, etag: str, deadline: float) -> PolicyVersion | None:
    while True:
        seen = hub.number(POLICIES)  # before reading, so that a change meanwhile ends the wait
        found = await _of(current, cluster)
        if found is not None and _etag(found) != etag:
            return found
        left = deadline - time.monotonic()
        if left <= 0 or hub.closed:
            break
        # Another replica signals nothing here, so its changes are looked for every STALE seconds.
        await hub.wait_change(POLICIES, seen, seconds=min(left, STALE))
    if found is None and not etag:
        raise NotFound("there is no policy for this cluster, and no default policy")
    return None


async def _of(current: PolicyCache, cluster: str) -> PolicyVersion | None:
    if current.fresh():
        return current.of(cluster)
    return await anyio.to_thread.run_sync(current.of, cluster)


def _etag(policy: PolicyVersion) -> str:
    return f'"{policy.name}:{policy.version}"'


Acks = GroupCommit[Mapping[str, Any]]
"""Acknowledgements on their way to the state: for each the columns of ``state.models.PolicyAck``."""
AppAcks = Annotated[Acks, part(GroupCommit)]


@router.put("/policy", status_code=204)
async def acknowledge_policy(body: PolicyAck, acks: AppAcks, clock: AppClock, peer: Peer) -> None:
    """Report the version that a sensor runs, or the reason why it cannot apply it."""
    who = {"sensor": peer.sensor, "cluster": peer.cluster, "node": peer.node}
    await acks.add({**who, "at": clock.now(), **body.model_dump()})
