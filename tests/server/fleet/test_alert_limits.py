"""Bounds on the alerts of one sensor, and on the evidence of one alert."""

from __future__ import annotations

import pyarrow as pa
import pytest

from driftline.errors import InvalidBatch, TooMany
from driftline.server.fleet.alert_limits import EVIDENCE_MAX, AlertLimits


class Sensor:
    """Sends batches of alerts, with a clock that the test sets."""

    def __init__(self, per_minute: int = 10) -> None:
        self.now = 0.0
        self.limits = AlertLimits(per_minute, clock=lambda: self.now)

    def send(self, *ids: str, evidence: int = 1, name: str = "s", info: bool = True) -> None:
        tables = {"AlertEvidence": pa.table({"AlertId": [each for each in ids for _ in range(evidence)]})}
        if info:
            tables["AlertInfo"] = pa.table({"AlertId": list(ids)})
        self.limits.check(name, tables)
        self.limits.note(name, tables)


def ids(count: int, prefix: str = "") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def test_unused_alerts_gather_for_six_minutes() -> None:
    sensor = Sensor()
    sensor.send(*ids(60))
    with pytest.raises(TooMany, match="1 alerts are 1 more than this sensor may send now") as refused:
        sensor.send("one more")
    assert refused.value.seconds == pytest.approx(6)
    sensor.now = 6.5
    sensor.send("one more")
    sensor.now = 1e6
    sensor.send(*ids(60, "later"))
    with pytest.raises(TooMany):
        sensor.send("again")


def test_each_sensor_has_its_own_alerts() -> None:
    sensor = Sensor()
    sensor.send(*ids(60))
    sensor.send(*ids(60), name="other")


def test_evidence_of_one_alert_is_bounded_over_batches() -> None:
    sensor = Sensor(per_minute=1000)
    sensor.send("a", evidence=EVIDENCE_MAX - 1)
    sensor.send("a", evidence=1, info=False)
    with pytest.raises(InvalidBatch, match="at most 200 rows of one alert, got 201 of 'a'"):
        sensor.send("a", evidence=1, info=False)
    sensor.send("b", evidence=EVIDENCE_MAX)
    sensor.send("a", evidence=1, name="other")


def test_evidence_without_alerts_counts_as_alerts() -> None:
    sensor = Sensor()
    sensor.send(*ids(60), info=False)
    with pytest.raises(TooMany):
        sensor.send("x", info=False)


def test_a_batch_that_could_never_be_sent_is_invalid() -> None:
    with pytest.raises(InvalidBatch, match="at most 60 alerts at once, got 61"):
        Sensor().send(*ids(61))


def test_a_batch_without_alerts_is_free() -> None:
    sensor = Sensor()
    sensor.limits.check("s", {"CloudProcessEvents": pa.table({"x": [1]})})
    sensor.limits.note("s", {})
    sensor.send(*ids(60))
