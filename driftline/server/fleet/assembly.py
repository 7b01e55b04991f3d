"""Taking in sensors beside people: the endpoints, what is behind them, and the TLS they need.

Only where ``sensor_names`` is set: sensors prove who they are by client certificates, so the whole
server then speaks TLS, by a certificate of its own authority unless it was given another.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from driftline.errors import InvalidInput
from driftline.server import pki
from driftline.server.auth.peers import Peers
from driftline.server.clock import Clock, utc_now
from driftline.server.fleet.alerts import Watcher, watching
from driftline.server.fleet.gateway import Gateway, WantedPolicy, open_gateway
from driftline.server.fleet.service_accounts import ClusterKeys, KeySetReviewer, Reviewer
from driftline.server.fleet.status import Thresholds
from driftline.server.http import tls
from driftline.server.http.refusal_log import Complaints
from driftline.server.pki import Identity
from driftline.server.settings import ServiceAccounts, Settings
from driftline.server.signals import Hub
from driftline.server.state import State
from driftline.server.storage import Storage

__all__ = ["receiving", "thresholds_of", "uvicorn_options"]


@contextlib.contextmanager
def receiving(
    settings: Settings,
    state: State,
    storage: Storage,
    peers: Peers,
    *,
    hub: Hub,
    clock: Clock,
    refusals: Complaints,
    thresholds: Thresholds,
    wanted_policy: WantedPolicy,
    note_alerts: Callable[[datetime.datetime], None],
) -> Iterator[Gateway]:
    """Own the event store and take in batches for as long as the ``with`` statement lasts.

    ``note_alerts`` is told the oldest time of alert rows that were stored.
    """

    def note(_: Identity, tables: Mapping[str, pa.Table]) -> None:
        rows = tables.get("AlertInfo")
        if rows is not None and rows.num_rows:
            note_alerts(pc.min(rows["Timestamp"]).as_py())

    opened = open_gateway(
        state,
        storage,
        peers,
        data=settings.data,
        clock=clock,
        refusals=refusals,
        days=settings.days,
        thresholds=thresholds,
        wanted_policy=wanted_policy,
        reviewer=_reviewer(settings, clock),
        listeners=[note],
    )
    with (
        opened as gateway,
        watching(Watcher(state, gateway, hub=hub, clock=clock, note_alerts=note_alerts)),
    ):
        yield gateway


def thresholds_of(settings: Settings, started: datetime.datetime) -> Thresholds:
    """Return the thresholds that the settings give, for a server that listens since ``started`` (UTC)."""
    return Thresholds(
        silent=datetime.timedelta(seconds=settings.sensor_silent_seconds),
        clock=datetime.timedelta(seconds=settings.sensor_clock_seconds),
        losses=settings.sensor_losses,
        heard_from=started,
    )


def _reviewer(settings: Settings, clock: Clock) -> Reviewer | None:
    clusters = settings.service_accounts
    return KeySetReviewer([_keys(it) for it in clusters], now=clock.now) if clusters else None


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
