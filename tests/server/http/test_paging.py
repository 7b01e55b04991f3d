"""Cursors of paged lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.errors import InvalidInput
from driftline.server.http.paging import decode_cursor, encode_cursor


@given(st.text(), st.integers(-(2**62), 2**62))
def test_a_cursor_decodes_to_its_values(text: str, number: int) -> None:
    assert decode_cursor(encode_cursor(text, number), str, int) == [text, number]


@given(st.text(min_size=1))
def test_an_invalid_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="cursor: expected"):
        decode_cursor(text, str, int)


@pytest.mark.parametrize("values", [("a",), (1, "a"), ("a", 2**63), ("a", True)])
def test_the_cursor_of_another_list_is_refused(values: tuple[str | int, ...]) -> None:
    with pytest.raises(InvalidInput):
        decode_cursor(encode_cursor(*values), str, int)


def test_an_empty_cursor_is_the_first_page() -> None:
    assert decode_cursor("", int) is None
