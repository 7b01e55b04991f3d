from __future__ import annotations

from driftline.sensor.reporting.tampering import TamperingMonitor


def test_a_finding_is_reported_once_while_it_lasts() -> None:
    found = ["b", "a"]
    watch = TamperingMonitor(lambda: found, lambda: ["c"])

    assert watch.new_findings() == ["a", "b", "c"]
    assert watch.new_findings() == []


def test_a_finding_that_recurs_is_reported_again() -> None:
    found = ["a"]
    watch = TamperingMonitor(lambda: found)
    watch.new_findings()
    found.clear()
    watch.new_findings()
    found.append("a")

    assert watch.new_findings() == ["a"]
