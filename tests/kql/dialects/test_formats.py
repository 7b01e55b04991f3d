"""Formats of datetimes and timespans are runs of one letter."""

from __future__ import annotations

from driftline.kql.dialects import formats


def test_a_format_is_split_into_runs_of_one_character() -> None:
    assert list(formats.runs("yyyy-MM-dd")) == ["yyyy", "-", "MM", "-", "dd"]


def test_a_timespan_format_becomes_a_template() -> None:
    sql = formats.timespan_template("d.hh", lambda text, size: f"pad({text}, {size})", lambda n: f"_0/{n}", str)

    assert sql == (
        "CASE WHEN _0 IS NULL THEN '' ELSE concat('', pad(_0/864000000000, 1), '.', pad(_0/36000000000 % 24, 2)) END"
    )
