"""Taking in sensors beside people: the endpoints, what is behind them, and the TLS they need.

Only where ``sensor_names`` is set: sensors prove who they are by client certificates, so the whole
server then speaks TLS, by a certificate of its own authority unless it was given another.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from fastapi import FastAPI

from driftline.errors import InvalidInput
from driftline.server import pki
from driftline.server.context import Context, utc_now
from driftline.server.fleet import enrolment, ingest, router
from driftline.server.fleet.alerts import watching
from driftline.server.fleet.gateway import open_gateway
from driftline.server.fleet.service_accounts import ClusterKeys, KeySetReviewer, Reviewer
from driftline.server.http import tls
from driftline.server.pki import Identity
from driftline.server.policies import delivery
from driftline.server.settings import ServiceAccounts, Settings

__all__ = ["ROUTERS", "receiving", "uvicorn_options"]

ROUTERS = ((enrolment.router, False), (ingest.router, True), (delivery.router, False), (router.router, False))
"""Each with whether it bounds its bodies itself."""


@contextlib.contextmanager
def receiving(app: FastAPI, context: Context) -> Iterator[None]:
    """Own the event store and take in batches for as long as the ``with`` statement lasts."""
    settings = context.settings
    if not settings.sensor_names:
        yield
        return

    def note(_: Identity, tables: Mapping[str, pa.Table]) -> None:
        rows = tables.get("AlertInfo")
        if rows is not None and rows.num_rows:
            context.arrivals.note(pc.min(rows["Timestamp"]).as_py())

    with open_gateway(
        data=settings.data,
        store=settings.store,
        now=context.now,
        days=settings.days,
        reviewer=_reviewer(context),
        listeners=[note],
    ) as gateway:
        app.state.gateway = gateway
        with watching(context, gateway):
            yield


def _reviewer(context: Context) -> Reviewer | None:
    clusters = context.settings.service_accounts
    return KeySetReviewer([_keys(it) for it in clusters], now=context.now) if clusters else None


def _keys(accounts: ServiceAccounts) -> ClusterKeys:
    try:
        keys = msgspec.json.decode(accounts.keys.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidInput(f"service_accounts: the keys of {accounts.cluster} in {accounts.keys}: {error}") from error
    about = accounts.model_dump(exclude={"keys"})
    return ClusterKeys(**about, keys=keys)


def uvicorn_options(settings: Settings) -> dict[str, Any]:
    """Give what uvicorn needs to ask sensors for their certificates."""
    authority = pki.open_authority(settings.data / "pki", now=utc_now())
    if settings.tls_certificate and settings.tls_key:
        return tls.uvicorn_options(settings.tls_certificate, settings.tls_key, authority.pem)
    return tls.own_options(settings.data / "pki", authority, settings.sensor_names, now=utc_now())
