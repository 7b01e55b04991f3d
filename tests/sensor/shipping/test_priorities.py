"""What a message is worth: alerts most, then drift and health, then the rest."""

from __future__ import annotations

import msgspec

from driftline import wire
from driftline.events import Alert
from driftline.sensor.shipping import priorities
from driftline.sensor.shipping.spool import Lane
from tests.wire import making

EVENT = making.event()
DRIFTED = msgspec.structs.replace(EVENT, Drift="yes")
ALERT = Alert(
    alert_id="a", timestamp=making.NOW, title="", category="", severity="High", attack_techniques=(),
    description="", event=DRIFTED, process_tree=(),
)  # fmt: skip


def test_each_lane_has_its_tables_and_counts_its_rows() -> None:
    found = priorities.batches([EVENT, ALERT, DRIFTED, making.health(), EVENT])
    tables = {lane: wire.decode(body, wire.Limits()) for lane, (body, _) in found.items()}

    assert {lane: {name: rows.num_rows for name, rows in tables[lane].items()} for lane in tables} == {
        Lane.PLAIN: {"CloudProcessEvents": 2},
        Lane.ALERT: {"AlertInfo": 1, "AlertEvidence": 5},
        Lane.DRIFT: {"CloudProcessEvents": 1, "SensorHealth": 1},
    }
    assert {lane: rows for lane, (_, rows) in found.items()} == {Lane.PLAIN: 2, Lane.ALERT: 6, Lane.DRIFT: 2}


def test_what_the_sensor_makes_is_its_own_to_the_server() -> None:
    for body, _ in priorities.batches([EVENT, ALERT, making.health()]).values():
        wire.check_owner(wire.decode(body, wire.Limits()), cluster="c", node="n")


def test_nothing_makes_no_batch() -> None:
    assert priorities.batches([]) == {}
