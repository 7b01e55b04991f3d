"""Bounds on the alerts of one sensor, so that the alerts of all others are still read.

A sensor may send so many alerts a minute; unused ones gather for six minutes. An alert may have so many rows of
evidence. Rows that the store had before do not count, so a batch that is sent again is free.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from driftline.errors import InvalidBatch, TooMany

__all__ = ["EVIDENCE_MAX", "AlertLimits"]

EVIDENCE_MAX = 200
"""Most rows of evidence of one alert; a sensor sends one for each process and file of the story, some twenty."""
_BURST_MINUTES = 6
_MOST_ALERTS = 200_000  # whose evidence is counted; the longest unused ones are forgotten


class AlertLimits:
    """The alerts and evidence that each sensor sent lately. Thread-safe."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow ``per_minute`` alerts of one sensor; ``clock`` returns seconds."""
        self._per_second = per_minute / 60
        self._burst = per_minute * _BURST_MINUTES
        self._clock = clock
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}
        self._evidence: OrderedDict[tuple[str, str], int] = OrderedDict()

    def check(self, sensor: str, tables: Mapping[str, pa.Table]) -> None:
        """Check a batch of a sensor, by table, before it is stored.

        Raises ``InvalidBatch`` for an alert with too many rows of evidence, or a batch with more alerts than are ever
        allowed at once, and ``TooMany`` for more alerts than the sensor has left.
        """
        evidence, alerts = _counts(tables)
        with self._lock:
            for alert, count in evidence.items():
                total = count + self._evidence.get((sensor, alert), 0)
                if total > EVIDENCE_MAX:
                    raise InvalidBatch(
                        f"AlertEvidence: expected at most {EVIDENCE_MAX} rows of one alert,"
                        f" got {total} of {alert[:64]!r}"
                    )
            if alerts > self._burst:
                raise InvalidBatch(f"AlertInfo: expected at most {self._burst} alerts at once, got {alerts}")
            lacking = alerts - self._tokens(sensor)
        if lacking > 0:
            raise TooMany(f"{alerts} alerts are {lacking:.0f} more than this sensor may send now",
                          seconds=min(60.0, lacking / self._per_second))  # fmt: skip

    def note(self, sensor: str, tables: Mapping[str, pa.Table]) -> None:
        """Count the alerts and the evidence of a batch that was stored."""
        evidence, alerts = _counts(tables)
        if not alerts:
            return
        with self._lock:
            self._left[sensor] = (self._tokens(sensor) - alerts, self._clock())
            for alert, count in evidence.items():
                key = (sensor, alert)
                self._evidence[key] = self._evidence.pop(key, 0) + count
            while len(self._evidence) > _MOST_ALERTS:
                self._evidence.popitem(last=False)

    def _tokens(self, sensor: str) -> float:
        left, since = self._left.get(sensor, (self._burst, 0.0))
        return min(self._burst, left + (self._clock() - since) * self._per_second)


# Evidence without its alert in the same batch counts as an alert, too: it may come in a batch of its own.
def _counts(tables: Mapping[str, pa.Table]) -> tuple[Counter[str], int]:
    evidence: Counter[str] = Counter()
    rows = tables.get("AlertEvidence")
    if rows is not None and rows.num_rows:
        counted = pc.value_counts(rows["AlertId"])
        names, counts = counted.field("values").to_pylist(), counted.field("counts").to_pylist()
        evidence.update({str(name): count or 0 for name, count in zip(names, counts, strict=True)})
    infos = tables.get("AlertInfo")
    return evidence, max(len(evidence), infos.num_rows if infos is not None else 0)
