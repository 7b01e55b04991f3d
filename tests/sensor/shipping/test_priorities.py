"""Priorities of messages: alerts first, then drift and health, then the rest."""

from __future__ import annotations

import msgspec

from driftline import wire
from driftline.events import Alert
from driftline.sensor.shipping import priorities
from driftline.sensor.shipping.spool import Priority
from tests.wire import making

EVENT = making.event()
DRIFTED = msgspec.structs.replace(EVENT, Drift="yes")
ALERT = Alert(
    alert_id="a", timestamp=making.NOW, title="", category="", severity="High", attack_techniques=(),
    description="", event=DRIFTED, process_tree=(),
)  # fmt: skip


def test_each_priority_has_its_own_tables_and_row_count() -> None:
    found = priorities.batches([EVENT, ALERT, DRIFTED, making.health(), EVENT])
    tables = {priority: wire.decode(body, wire.Limits()) for priority, (body, _) in found.items()}

    assert {priority: {name: rows.num_rows for name, rows in tables[priority].items()} for priority in tables} == {
        Priority.PLAIN: {"CloudProcessEvents": 2},
        Priority.ALERT: {"AlertInfo": 1, "AlertEvidence": 5},
        Priority.DRIFT: {"CloudProcessEvents": 1, "SensorHealth": 1},
    }
    assert {priority: rows for priority, (_, rows) in found.items()} == {
        Priority.PLAIN: 2,
        Priority.ALERT: 6,
        Priority.DRIFT: 2,
    }


def test_all_rows_of_a_batch_pass_the_owner_check_of_the_server() -> None:
    for body, _ in priorities.batches([EVENT, ALERT, making.health()]).values():
        wire.check_owner(wire.decode(body, wire.Limits()), cluster="c", node="n")


def test_no_messages_give_no_batch() -> None:
    assert priorities.batches([]) == {}
