"""From the sensor's messages to batches for the spool: by what they are worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from driftline import wire
from driftline.events import Alert, CloudProcessEvent, Drift, Message, Record, SensorHealth, stream
from driftline.sensor.shipping.spool import Priority

__all__ = ["batches"]


def batches(messages: Iterable[Message]) -> Mapping[Priority, tuple[bytes, int]]:
    """Encode messages as one batch a priority, with its number of rows."""
    by_priority: dict[Priority, dict[str, list[Record]]] = {}
    for message in messages:
        tables = by_priority.setdefault(_PRIORITIES[type(message)](message), defaultdict(list))
        for name, row in stream.rows(message):
            tables[name].append(row)
    return {priority: _encoded(tables) for priority, tables in by_priority.items()}


def _encoded(tables: Mapping[str, list[Record]]) -> tuple[bytes, int]:
    body = wire.encode({name: wire.table(name, rows) for name, rows in tables.items()})
    return body, sum(len(rows) for rows in tables.values())


def _event_priority(event: CloudProcessEvent) -> Priority:
    return Priority.PLAIN if event.Drift in {"", Drift.NO} else Priority.DRIFT


_PRIORITIES: Mapping[type, Callable[[Any], Priority]] = {
    Alert: lambda _: Priority.ALERT,
    SensorHealth: lambda _: Priority.DRIFT,
    CloudProcessEvent: _event_priority,
}
