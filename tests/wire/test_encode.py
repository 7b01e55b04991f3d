"""Encoded tables decode to the same tables."""

from __future__ import annotations

from driftline import wire
from driftline.events import TABLES
from tests.wire import making


def test_tables_round_trip_in_order() -> None:
    tables = {
        "SensorHealth": wire.table("SensorHealth", [making.health()]),
        "CloudProcessEvents": wire.table("CloudProcessEvents", [making.event(), making.event("ls")]),
    }
    decoded = wire.decode(wire.encode(tables), wire.Limits())

    assert list(decoded) == list(tables)
    assert all(decoded[name].equals(tables[name]) for name in tables)


def test_every_table_can_be_empty() -> None:
    tables = {name: wire.table(name, []) for name in TABLES}

    assert wire.decode(wire.encode(tables), wire.Limits()) == tables
