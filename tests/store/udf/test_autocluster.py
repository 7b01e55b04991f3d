"""Patterns of rows: each covers the rows that it counts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline import errors, kql
from driftline.store.udf.autocluster import find_patterns

CELLS = st.sampled_from(["", "a", "b", "c"])
ROWS = st.dictionaries(st.tuples(CELLS, CELLS, CELLS), st.integers(1, 9), max_size=12)


@given(ROWS, st.floats(0.01, 0.99), st.integers(1, 30))
def test_each_pattern_covers_as_many_rows_as_it_says(
    rows: dict[tuple[str, ...], int], weight: float, seeds: int
) -> None:
    found = json.loads(find_patterns(json.dumps([[*row, count] for row, count in rows.items()]), weight, seeds))

    for count, percent, *cells in found:
        met = [n for row, n in rows.items() if all(want in (None, have) for want, have in zip(cells, row, strict=True))]
        assert (count, percent) == (sum(met), 100 * sum(met) / sum(rows.values()))
        assert any(cells)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("autocluster(2)", "weight of the size between 0 and 1"),
        ("autocluster(0.5, 'n')", "autocluster with weights"),
        ("autocluster('~', '~', 1000)", "seeds from 1 to 100"),
        ("autocluster('~', '~', '~', s)", "a constant as a wildcard"),
    ],
)
def test_unsupported_arguments_are_refused(call: str, said: str) -> None:
    with pytest.raises(errors.InvalidQuery, match=said):
        kql.translate(f"T | evaluate {call}", {"T": {"s": "string"}})
