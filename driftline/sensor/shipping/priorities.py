"""Batches for the spool: the sensor's messages grouped by priority, encoded as Arrow.

Alerts have the highest priority, then drift and the sensor's health, then all other events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from driftline import wire
from driftline.events import Alert, CloudProcessEvent, Drift, Message, Record, SensorHealth, stream
from driftline.sensor.shipping.spool import Priority

__all__ = ["batches"]


def batches(messages: Iterable[Message]) -> Mapping[Priority, tuple[bytes, int]]:
    """Encode messages as one batch (``driftline.wire``) for each priority, with its number of rows.

    An alert gives rows of several hunting tables; all are in the batch of its priority.
    """
    by_priority: dict[Priority, dict[str, list[Record]]] = {}
    for message in messages:
        tables = by_priority.setdefault(_PRIORITIES[type(message)](message), defaultdict(list))
        for name, row in stream.rows(message):
            tables[name].append(row)
    return {priority: _encoded(tables) for priority, tables in by_priority.items()}


def _encoded(tables: Mapping[str, list[Record]]) -> tuple[bytes, int]:
    body = wire.encode({name: wire.table(name, rows) for name, rows in tables.items()})
    return body, sum(len(rows) for rows in tables.values())


# Unknown drift has the priority of drift.
def _event_priority(event: CloudProcessEvent) -> Priority:
    return Priority.PLAIN if event.Drift in {"", Drift.NO} else Priority.DRIFT


_PRIORITIES: Mapping[type, Callable[[Any], Priority]] = {
    Alert: lambda _: Priority.ALERT,
    SensorHealth: lambda _: Priority.DRIFT,
    CloudProcessEvent: _event_priority,
}
