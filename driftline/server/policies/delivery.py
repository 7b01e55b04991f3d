"""Policies to sensors: a long poll and an acknowledgement.

A sensor asks with the ETag of what it runs and is answered at once when something else is in
force, else when something comes, else after ``wait`` seconds with 304; then it asks again. It
says what it made of the policy by ``PUT``.
"""

from __future__ import annotations

import time
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Header, Query, Response

from driftline.errors import NotFound
from driftline.server.context import Context, Here
from driftline.server.fleet.gateway import Peer
from driftline.server.policies.current import STALE, TOPIC
from driftline.server.state.models import PolicyVersion
from driftline.wire.protocol import Delivered, PolicyAck

__all__ = ["router"]

router = APIRouter(prefix="/sensor", tags=["sensors"])


@router.get("/policy", response_model=Delivered, responses={304: {"description": "What it runs is in force"}})
async def fetch_policy(
    here: Here,
    peer: Peer,
    response: Response,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait for another version")] = 0,
    if_none_match: Annotated[str, Header(max_length=256, description="ETag of what it runs")] = "",
) -> Delivered | Response:
    """Give the policy of a sensor's cluster, when it is another than the one it runs."""
    with here.metrics.policy_waiters.track_inprogress():
        found = await _wait_other(here, peer.cluster, if_none_match, time.monotonic() + wait)
    if found is None:
        return Response(status_code=304, headers={"ETag": if_none_match})
    response.headers["ETag"] = _etag(found)
    return Delivered.model_validate(found)


async def _wait_other(here: Context, cluster: str, etag: str, deadline: float) -> PolicyVersion | None:
    while True:
        seen = here.hub.number(TOPIC)
        found = await _current(here, cluster)
        if found is not None and _etag(found) != etag:
            return found
        left = deadline - time.monotonic()
        if left <= 0 or here.hub.closed:
            break
        await here.hub.wait_change(TOPIC, seen, seconds=min(left, STALE))
    if found is None and not etag:
        raise NotFound("nobody made a policy for this cluster, nor a default one")
    return None


async def _current(here: Context, cluster: str) -> PolicyVersion | None:
    if here.current.fresh():
        return here.current.of(cluster)
    return await anyio.to_thread.run_sync(here.current.of, cluster)


def _etag(policy: PolicyVersion) -> str:
    return f'"{policy.name}:{policy.version}"'


@router.put("/policy", status_code=204)
async def acknowledge_policy(body: PolicyAck, here: Here, peer: Peer) -> None:
    """Say which version a sensor runs, or why it could not use it."""
    who = {"sensor": peer.sensor, "cluster": peer.cluster, "node": peer.node}
    await here.acks.add({**who, "at": here.now(), **body.model_dump()})
