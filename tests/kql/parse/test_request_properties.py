from __future__ import annotations

import pytest

from driftline import errors, kql
from driftline.kql.parse import request_properties


def test_a_property_that_only_steers_kusto_changes_nothing() -> None:
    assert kql.translate("set NoTruncation; set servertimeout = 10m; print a = 1", {}) == kql.translate(
        "print a = 1", {}
    )


def test_no_property_is_both_ignored_and_refused() -> None:
    assert not request_properties.IGNORED & request_properties.REFUSED.keys()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("set query_take_max_records = 1; print 1", "not supported.*'query_take_max_records'.*'take'"),
        ("set query_now = datetime(2024-01-01); print now()", "not supported.*'query_now'"),
        ("set notruncaton; print 1", "unknown request property 'notruncaton'; did you mean 'notruncation'"),
        ("let f = () { set memory = 1; print 1 }; f()", "unknown request property 'memory'"),
    ],
)
def test_what_would_change_the_answer_or_is_unknown_is_refused_in_its_place(text: str, said: str) -> None:
    with pytest.raises(errors.InvalidQuery, match=said) as caught:
        kql.translate(text, {})

    assert caught.value.problems[0].column == text.index("set ") + 5
