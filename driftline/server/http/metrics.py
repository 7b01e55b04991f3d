"""Metrics of the server for Prometheus.

``/metrics`` needs no credentials, so no label names a user, a cluster or a query. Labels have few values:
``route`` is the template of a path, never the path.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.process_collector import ProcessCollector

import driftline

__all__ = ["Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """All metrics, in a registry of their own, so that two apps in one process (tests) do not share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "driftline_http_requests",
            "HTTP requests by method, route and status",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.duration = Histogram(
            "driftline_http_request_duration_seconds",
            "Seconds from the start of a request to the head of its response",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.occurrences = Counter(
            "driftline_alert_occurrences",
            "Alerts read from the store, by outcome",
            ("outcome",),
            registry=self.registry,
        )
        self.tailer_failures = Counter(
            "driftline_alert_tailer_failures", "Failed runs of the alert ingestion", registry=self.registry
        )
        self.hunts = Counter("driftline_hunts", "Hunts by outcome", ("outcome",), registry=self.registry)
        self.streams = Gauge("driftline_streams", "Open live streams", ("stream",), registry=self.registry)
        self.connections = Gauge("driftline_connections", "Open connections of clients", registry=self.registry)
        self.closed_connections = Counter(
            "driftline_closed_connections",
            "Connections that the server closed: for a newer one (crowded), at once (refused), or since the headers,"
            " the body or the reading of the response took too long",
            ("reason",),
            registry=self.registry,
        )
        self.ingest_refusals = Counter(
            "driftline_ingest_refusals",
            "Batches of sensors that were refused, by reason",
            ("reason",),
            registry=self.registry,
        )
        self.free_bytes = Gauge(
            "driftline_disk_free_bytes", "Bytes free on the disk of a directory", ("directory",), registry=self.registry
        )
        self.policy_waiters = Gauge(
            "driftline_policy_waiters", "Sensors that wait for a new policy version", registry=self.registry
        )
        Info("driftline_build", "Version of the server", registry=self.registry).info(
            {"version": driftline.__version__}
        )

    def text(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        return generate_latest(self.registry)
