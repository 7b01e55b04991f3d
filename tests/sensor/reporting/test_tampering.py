from __future__ import annotations

from driftline.sensor.reporting.tampering import TamperingMonitor


def test_each_thing_is_told_once_for_as_long_as_it_lasts() -> None:
    found = ["b", "a"]
    watch = TamperingMonitor(lambda: found, lambda: ["c"])

    assert watch.new_findings() == ["a", "b", "c"]
    assert watch.new_findings() == []


def test_what_was_undone_and_comes_again_is_told_again() -> None:
    found = ["a"]
    watch = TamperingMonitor(lambda: found)
    watch.new_findings()
    found.clear()
    watch.new_findings()
    found.append("a")

    assert watch.new_findings() == ["a"]
