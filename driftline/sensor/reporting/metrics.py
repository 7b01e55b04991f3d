"""The sensor's counts for Prometheus, read when they are scraped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

__all__ = ["SensorCollector"]


class SensorCollector(Collector):
    """Gives the counts of ``Sensor.status`` as metrics."""

    def __init__(self, status: Callable[[], Mapping[str, object]]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """Read the counts now."""
        status = self._status()
        yield _by_label("driftline_lost", "What was lost, by reason", "reason", status["lost"])
        yield _by_label("driftline_rows", "Rows made, by kind", "kind", status["rows"])
        yield CounterMetricFamily("driftline_execs", "Execs seen in containers", value=_number(status["execs"]))
        yield GaugeMetricFamily("driftline_containers", "Containers watched", value=_number(status["containers"]))
        yield GaugeMetricFamily("driftline_processes", "Processes known", value=_number(status["processes"]))


def _by_label(name: str, about: str, label: str, counts: object) -> CounterMetricFamily:
    family = CounterMetricFamily(name, about, labels=[label])
    if isinstance(counts, Mapping):
        for value, count in counts.items():
            family.add_metric([str(value)], _number(count))
    return family


def _number(value: object) -> float:
    return float(str(value))
