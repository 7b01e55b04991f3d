from __future__ import annotations

import json

import pytest

from driftline.events import Alert
from driftline.sensor.reporting.sinks import open_sinks
from tests.wire import making

EVENT = making.event()
ALERT = Alert(
    alert_id="a", timestamp=making.NOW, title="", category="", severity="High", attack_techniques=(),
    description="", event=EVENT, process_tree=(),
)  # fmt: skip


def never() -> None:
    raise AssertionError


def test_rows_are_printed_in_order_as_lines_of_json(capfd: pytest.CaptureFixture[str]) -> None:
    with open_sinks(never, print_rows=True) as sinks:
        for sink in sinks:
            sink.write([making.health(), EVENT, ALERT])

    kinds = [json.loads(line)["kind"] for line in capfd.readouterr().out.splitlines()]
    assert len(kinds) == 3
    assert kinds[2] == "alert"
    assert sum(sink.lost() for sink in sinks) == 0


def test_only_alerts_are_given_to_print_alert() -> None:
    printed: list[Alert] = []
    with open_sinks(never, print_alert=printed.append) as sinks:
        for sink in sinks:
            sink.write([making.health(), EVENT, ALERT])

    assert printed == [ALERT]


def test_a_closed_standard_output_is_reported() -> None:
    closed: list[bool] = []

    def print_alert(_: Alert) -> None:
        raise BrokenPipeError

    with open_sinks(lambda: closed.append(True), print_alert=print_alert) as sinks:
        for sink in sinks:
            sink.write([ALERT])

    assert closed == [True]
