"""The server's own numbers, for Prometheus; they name no user, cluster or query."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.process_collector import ProcessCollector

import driftline

__all__ = ["Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """All metrics, in a registry of the app's own, so that two apps share none."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "driftline_http_requests", "Requests answered", ("method", "route", "status"), registry=self.registry
        )
        self.duration = Histogram(
            "driftline_http_request_duration_seconds",
            "Seconds from a request to the head of its answer",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.occurrences = Counter(
            "driftline_alert_occurrences", "Alerts taken from the store", ("outcome",), registry=self.registry
        )
        self.tailer_failures = Counter(
            "driftline_alert_tailer_failures", "Turns of the alert tailer that failed", registry=self.registry
        )
        self.hunts = Counter("driftline_hunts", "Hunts run", ("outcome",), registry=self.registry)
        self.streams = Gauge("driftline_streams", "Live streams open", ("stream",), registry=self.registry)
        self.policy_waiters = Gauge("driftline_policy_waiters", "Sensors waiting for a policy", registry=self.registry)
        Info("driftline_build", "Version of the server", registry=self.registry).info(
            {"version": driftline.__version__}
        )

    def text(self) -> bytes:
        """Give all in Prometheus' text format."""
        return generate_latest(self.registry)
