"""Request properties and assertions are evaluated while the query is bound."""

from __future__ import annotations

import pytest

from driftline import errors, store

MISTAKES = {
    "print bin_auto(5)": "1:7: 'bin_auto' needs a size: set query_bin_auto_size = 1h;",
    "set query_bin_auto_size = 1; print bin_auto(5, 2)": "1:36: expected bin_auto(value), got 2 arguments",
    "set query_bin_auto_size = 1h; print bin_auto(5)": "1:37: cannot round a long to a timespan",
    "print assert(1 > 2, 'too small')": "1:7: assert() has failed with message: 'too small'",
    "print assert(bool(null), 'nothing')": "1:7: assert() has failed with message: 'nothing'",
    "range x from 1 to 2 step 1 | where assert(x > 0, 'x')": "expected a condition that is the same for all rows",
    "print assert(true, tolower('X'))": "1:20: expected a constant string",
    "print assert(true)": "1:7: expected 2 arguments in 'assert', got 1",
}


@pytest.mark.parametrize("query", MISTAKES)
def test_invalid_call_is_reported_with_its_reason(query: str) -> None:
    with pytest.raises(errors.InvalidQuery) as caught:
        store.hunt(query, {})

    assert MISTAKES[query] in str(caught.value)


def test_names_of_request_properties_ignore_case() -> None:
    rows = store.hunt("set Query_Bin_Auto_Size = 10; print n = bin_auto(17)", {})

    assert rows.to_pylist() == [{"n": 10}]
