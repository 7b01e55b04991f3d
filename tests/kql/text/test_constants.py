"""Datetime and timespan constants are read and written in Kusto's forms."""

from __future__ import annotations

import pytest

from driftline.kql.text.constants import SECOND, datetime_us, timespan_text, timespan_ticks


@pytest.mark.parametrize(
    ("text", "ticks"),
    [
        ("1d", 86_400 * SECOND),
        ("1.5h", 5_400 * SECOND),
        ("10 seconds", 10 * SECOND),
        ("100ms", SECOND // 10),
        ("1tick", 1),
        ("2", 172_800 * SECOND),
        ("-1.02:03:04.5", -(93_784 * SECOND + SECOND // 2)),
        ("00:00:00.0000001", 1),
        ("1x", None),
        ("", None),
    ],
)
def test_timespans_in_ticks(text: str, ticks: int | None) -> None:
    assert timespan_ticks(text) == ticks


@pytest.mark.parametrize("text", ["1.02:03:04.5000000", "-00:00:01", "00:00:00", "10675199.02:48:05.4775807"])
def test_timespans_round_trip(text: str) -> None:
    assert timespan_text(timespan_ticks(text) or 0) == text


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("1970-01-01", 0),
        ("1970-01-01 00:01", 60_000_000),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00.1234567Z", 123_456),
        ("01/02/1970", 86_400_000_000),
        ("Thu, 1 Jan 70 00:00:01 GMT", 1_000_000),
        ("1 Jan 1970 00:01", 60_000_000),
        ("Thursday, 01-Jan-1970 00:00:02 GMT", 2_000_000),
        ("1970-01-01 00:00:03 GMT", 3_000_000),
        ("1 Jab 1970 00:01", None),
        ("1970-02-30", None),
        ("soon", None),
    ],
)
def test_datetimes_in_microseconds(text: str, microseconds: int | None) -> None:
    assert datetime_us(text) == microseconds
