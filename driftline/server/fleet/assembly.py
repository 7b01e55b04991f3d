"""Assembly of the gateway for sensors, and the TLS options that it needs.

Used only where the setting ``sensor_names`` is given. Sensors authenticate by client certificates, so the whole server
then speaks TLS, with a certificate of its own authority unless the settings name another certificate.
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
from driftline.server.disk import Space
from driftline.server.fleet.alerts import FleetAlerts, watching
from driftline.server.fleet.gateway import Gateway, WantedPolicy, open_gateway
from driftline.server.fleet.service_accounts import ClusterKeys, KeySetReviewer, Reviewer
from driftline.server.fleet.status import Thresholds
from driftline.server.http import tls
from driftline.server.http.metrics import Metrics
from driftline.server.http.refusal_log import RefusalLog
from driftline.server.pki import Identity
from driftline.server.settings import ServiceAccounts, Settings
from driftline.server.signals import Hub
from driftline.server.state import State
from driftline.server.storage import Storage

__all__ = ["receiving", "renew_certificate", "thresholds_of", "trusted_authorities", "uvicorn_options"]


@contextlib.contextmanager
def receiving(
    settings: Settings,
    state: State,
    storage: Storage,
    peers: Peers,
    *,
    hub: Hub,
    clock: Clock,
    refusals: RefusalLog,
    thresholds: Thresholds,
    wanted_policy: WantedPolicy,
    note_alerts: Callable[[datetime.datetime], None],
    metrics: Metrics,
    space: Space,
) -> Iterator[Gateway]:
    """Own the event store and raise alerts on sensors during the block; yields the gateway for the endpoints.

    ``wanted_policy`` returns the policy in force for a cluster. ``note_alerts`` is called with the oldest time (UTC)
    of alert rows that were stored, to wake the alert ingest. ``space`` is that of the disks of store and state. Raises
    ``StateError``, ``StoreError`` and ``InvalidInput``, the last for unreadable keys of service accounts.
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
        metrics=metrics,
        space=space,
        alerts_per_minute=settings.alerts_per_minute,
        wanted_policy=wanted_policy,
        reviewer=_reviewer(settings, clock),
        listeners=[note],
    )
    with (
        opened as gateway,
        watching(FleetAlerts(state, gateway, hub=hub, clock=clock, note_alerts=note_alerts)),
    ):
        yield gateway


def thresholds_of(settings: Settings, started: datetime.datetime) -> Thresholds:
    """Return the thresholds of alerts on sensors in the settings, for a server that listens since ``started`` (UTC)."""
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
        raise InvalidInput(
            f"service_accounts: cannot read the keys of {accounts.cluster} in {accounts.keys}: {error}"
        ) from error
    about = accounts.model_dump(exclude={"keys"})
    return ClusterKeys(**about, keys=keys)


def renew_certificate(settings: Settings) -> None:
    """Write a new certificate of the server by its own authority; raises ``StateError`` and ``OSError``."""
    directory = settings.data / "pki"
    authority = pki.open_authority(directory, now=utc_now())
    tls.issue_own(directory, authority, settings.sensor_names, now=utc_now())


def trusted_authorities(settings: Settings) -> Callable[[], str]:
    """Return a function that returns the certificates, PEM, of the authorities of sensors that are trusted now."""
    authorities = pki.LiveAuthority(settings.data / "pki", now=utc_now)
    return lambda: authorities.current.trusted_pem


def uvicorn_options(settings: Settings) -> dict[str, Any]:
    """Return the options of ``uvicorn.Config`` for TLS that asks clients for certificates of sensors.

    Creates the authority in the data directory unless it exists; raises ``StateError`` and ``InvalidInput``.
    """
    authority = pki.open_authority(settings.data / "pki", now=utc_now())
    if settings.tls_certificate and settings.tls_key:
        return tls.uvicorn_options(settings.tls_certificate, settings.tls_key, authority.trusted_pem)
    return tls.own_options(settings.data / "pki", authority, settings.sensor_names, now=utc_now())
