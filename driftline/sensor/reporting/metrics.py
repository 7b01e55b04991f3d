"""Prometheus metrics of the sensor, collected from its status at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

__all__ = ["SensorCollector"]


class SensorCollector(Collector):
    """Collector of the metrics ``driftline_*``.

    No counters are kept here: each scrape reads ``Sensor.status``, so metrics and status always agree.
    """

    def __init__(self, status: Callable[[], Mapping[str, object]]) -> None:
        """Take the function that returns the sensor's status; it is called from the server's threads."""
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics as of now."""
        status = self._status()
        yield _by_label("driftline_lost", "What was lost, by reason", "reason", status["lost"])
        yield _by_label("driftline_rows", "Rows made, by kind", "kind", status["rows"])
        yield CounterMetricFamily("driftline_execs", "Execs seen in containers", value=_number(status["execs"]))
        yield GaugeMetricFamily("driftline_containers", "Containers watched", value=_number(status["containers"]))
        yield GaugeMetricFamily("driftline_processes", "Processes known", value=_number(status["processes"]))


# A counter with one label; a value of ``status`` that is no mapping gives no samples.
def _by_label(name: str, about: str, label: str, counts: object) -> CounterMetricFamily:
    family = CounterMetricFamily(name, about, labels=[label])
    if isinstance(counts, Mapping):
        for value, count in counts.items():
            family.add_metric([str(value)], _number(count))
    return family


def _number(value: object) -> float:
    return float(str(value))
