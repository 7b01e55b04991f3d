"""Templates take expression trees in the places of their arguments."""

from __future__ import annotations

import pytest
from sqlglot import exp

from driftline.kql.dialects.templates import filled, mentions, template
from driftline.kql.plan.nodes import Call, Col

A, B = exp.column("a"), exp.column("b")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [("f(_1, _0)", "F(b, a)"), ("f(_all)", "F(a, b)"), ("least(_all)", "LEAST(a, b)"), ("_0 + _0", "(a + a)")],
)
def test_arguments_take_their_places(sql: str, expected: str) -> None:
    assert filled(template(sql, "duckdb"), [A.copy(), B.copy()]).sql("duckdb") == expected


def test_the_parameter_of_a_lambda_hides_no_column_of_its_name() -> None:
    made = filled(template("list_transform(_0, lambda a: a + _1)", "duckdb"), [B.copy(), A.copy()])

    assert made.sql("duckdb") == 'LIST_TRANSFORM(b, LAMBDA "·a" : "·a" + a)'


def test_mentions_count_the_places_of_each_argument() -> None:
    value = Call("iff_like", (Col("a", "string"), Col("b", "string")), "string")

    assert mentions(value, "duckdb")[1] == [1, 1]
    assert mentions(Call("isutf8", (Col("a", "string"),), "bool"), "duckdb") == (len("TRUE"), [0])
