from __future__ import annotations

import pytest

from driftline import errors, kql
from driftline.kql.parse import request_properties


def test_ignored_request_property_leaves_the_sql_unchanged() -> None:
    assert kql.translate("set NoTruncation; set servertimeout = 10m; print a = 1", {}) == kql.translate(
        "print a = 1", {}
    )


def test_ignored_and_refused_properties_are_disjoint() -> None:
    assert not request_properties.IGNORED & request_properties.REFUSED.keys()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("set query_take_max_records = 1; print 1", "not supported.*'query_take_max_records'.*'take'"),
        ("set query_now = datetime(2024-01-01); print now()", "not supported.*'query_now'"),
        ("set notruncaton; print 1", "unknown request property 'notruncaton'; did you mean 'notruncation'"),
        ("let f = () { set memory = 1; print 1 }; f()", "unknown request property 'memory'"),
    ],
)
def test_refused_or_unknown_property_is_reported_at_its_name(text: str, message: str) -> None:
    with pytest.raises(errors.InvalidQuery, match=message) as caught:
        kql.translate(text, {})

    assert caught.value.problems[0].column == text.index("set ") + 5
