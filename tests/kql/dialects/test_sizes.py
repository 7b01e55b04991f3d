"""The length of SQL depends on the hunt, not on how often templates repeat an argument."""

from __future__ import annotations

import pytest

from driftline import errors, kql

SCHEMA = {"T": {"s": "string", "d": "dynamic"}}


def length(depth: int, call: str = "tostring(totimespan({}))") -> int:
    value = "s"
    for _ in range(depth):
        value = call.format(value)
    return len(kql.translate(f"T | project x = {value}", SCHEMA))


def test_sql_grows_linearly_with_nesting() -> None:
    assert length(8) - length(7) <= 2 * (length(4) - length(3))


def test_small_calls_need_no_inner_column() -> None:
    assert "part" not in kql.translate("T | project x = trim(' ', tolower(tostring(d.a)))", SCHEMA)


def test_large_calls_on_the_state_of_a_scan_are_refused() -> None:
    value = "a.x"
    for _ in range(7):
        value = f"tostring(totimespan({value}))"
    with pytest.raises(errors.InvalidQuery, match="too many nested calls"):
        kql.translate(f"T | sort by s asc | scan declare (x: string) with (step a: true => x = {value};)", SCHEMA)
