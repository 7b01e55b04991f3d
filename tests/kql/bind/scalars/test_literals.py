"""A literal that does not fit its type is reported."""

from __future__ import annotations

import pytest

from driftline import errors
from driftline.kql import translate

MISTAKES = {
    "print int(2147483648)": "1:7: this number does not fit into 32 bits",
    "print int(-2147483649)": "1:7: this number does not fit into 32 bits",
    "print long(-9223372036854775809)": "1:7: this number does not fit into 64 bits",
    "print 9223372036854775808": "1:7: this number does not fit into 64 bits",
    "print guid(0a1b)": "1:7: invalid guid: '0a1b'",
    "print decimal(1.5)": "1:7: not supported: decimal numbers; use real",
    "let f = (a: long) { a }; print f(b = 1)": "1:32: 'f' has no parameter 'b'",
}


@pytest.mark.parametrize("query", MISTAKES)
def test_invalid_literal_is_reported_with_its_reason(query: str) -> None:
    with pytest.raises(errors.InvalidQuery) as caught:
        translate(query, {})

    assert MISTAKES[query] in str(caught.value)
