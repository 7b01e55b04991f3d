"""From the sensor's messages to batches for the spool: by what they are worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from driftline import wire
from driftline.events import Alert, CloudProcessEvent, Drift, Message, Record, SensorHealth, stream
from driftline.sensor.shipping.spool import Lane

__all__ = ["batches"]


def batches(messages: Iterable[Message]) -> Mapping[Lane, tuple[bytes, int]]:
    """Encode messages as one batch a lane, with its number of rows."""
    lanes: dict[Lane, dict[str, list[Record]]] = {}
    for message in messages:
        tables = lanes.setdefault(_LANES[type(message)](message), defaultdict(list))
        for name, row in stream.rows(message):
            tables[name].append(row)
    return {lane: _encoded(tables) for lane, tables in lanes.items()}


def _encoded(tables: Mapping[str, list[Record]]) -> tuple[bytes, int]:
    body = wire.encode({name: wire.table(name, rows) for name, rows in tables.items()})
    return body, sum(len(rows) for rows in tables.values())


def _event_lane(event: CloudProcessEvent) -> Lane:
    return Lane.PLAIN if event.Drift in {"", Drift.NO} else Lane.DRIFT


_LANES: Mapping[type, Callable[[Any], Lane]] = {
    Alert: lambda _: Lane.ALERT,
    SensorHealth: lambda _: Lane.DRIFT,
    CloudProcessEvent: _event_lane,
}
