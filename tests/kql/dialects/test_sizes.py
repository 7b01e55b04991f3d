"""SQL grows with a hunt, not with what its templates repeat."""

from __future__ import annotations

import pytest

from driftline import errors, kql

SCHEMA = {"T": {"s": "string", "d": "dynamic"}}


def length(depth: int, call: str = "tostring(totimespan({}))") -> int:
    value = "s"
    for _ in range(depth):
        value = call.format(value)
    return len(kql.translate(f"T | project x = {value}", SCHEMA))


def test_each_level_adds_as_much_as_the_one_before() -> None:
    assert length(8) - length(7) <= 2 * (length(4) - length(3))


def test_what_is_small_stays_one_select() -> None:
    assert "part" not in kql.translate("T | project x = trim(' ', tolower(tostring(d.a)))", SCHEMA)


def test_what_no_column_can_hold_is_refused() -> None:
    value = "a.x"
    for _ in range(7):
        value = f"tostring(totimespan({value}))"
    with pytest.raises(errors.InvalidQuery, match="too many nested calls"):
        kql.translate(f"T | sort by s asc | scan declare (x: string) with (step a: true => x = {value};)", SCHEMA)
