"""A short text whose plan would be huge is one problem, which names the bound and the place where it is exceeded."""

from __future__ import annotations

import pytest

from driftline import kql
from driftline.errors import InvalidQuery, QueryProblem

WIDE = {f"c{number}": "string" for number in range(1000)}
SCHEMA = {"T": {"Timestamp": "datetime", "a": "long", "s": "string", "d": "dynamic"}, "W": WIDE}
REPEATED = f"let d = (s: string) {{ strcat({', '.join('s' * 10)}) }}; "
TOO_LARGE = "not supported: a query of more than 100,000 parts, its functions and lets expanded"
TOO_MANY = "not supported: a query of more than 20,000 parts, its functions and lets expanded"


def nested(function: str, depth: int, innermost: str) -> str:
    return f"{function}(" * depth + innermost + ")" * depth


def of_functions(depth: int) -> str:
    first = "let f0 = (x: long) { x + x }; "
    return first + "".join(f"let f{n} = (x: long) {{ f{n - 1}(x) + f{n - 1}(x) }}; " for n in range(1, depth))


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        (f"{REPEATED}print x = {nested('d', 9, repr('a'))}", TOO_LARGE, "d(d(d(d(d('a')))))"),
        (f"{REPEATED}T | extend x = {nested('d', 9, 's')}", TOO_LARGE, "d(d(d(d(d(s)))))"),
        (f"{REPEATED}T | where {nested('d', 9, 's')} == ''", TOO_LARGE, "d(d(d(d(d(s)))))"),
        (f"{of_functions(18)}print f17(1)", TOO_MANY, "f"),
        ("union " + ", ".join(["W"] * 2000), TOO_LARGE, "W"),
        ("union " + ", ".join(["T"] * 19_000), TOO_LARGE, "union"),
        ("union W" + ", W" * 300 + " | count", TOO_LARGE, "W"),
        ("W" + " | join kind=inner W on c1" * 60, TOO_LARGE, "join"),
        ("W" + " | extend z = c1" * 60, TOO_LARGE, "extend"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dialect", ["duckdb", "clickhouse"])
def test_a_plan_that_is_too_large_is_one_problem_at_its_place(
    text: str, message: str, place: str, dialect: kql.Dialect
) -> None:
    with pytest.raises(InvalidQuery) as caught:
        kql.compiled(text, SCHEMA, dialect)

    (problem,) = caught.value.problems
    assert isinstance(problem, QueryProblem)
    assert (problem.message, text[problem.offset :].startswith(place)) == (message, True)


@pytest.mark.parametrize("call", ["f({0})", "f(f({0}))"])
def test_a_function_may_be_called_any_number_of_times(call: str) -> None:
    calls = ", ".join(f"x{number} = {call.format(number)}" for number in range(100))

    kql.translate(f"let f = (n: long) {{ n + 1 }}; print {calls}", SCHEMA)


def test_two_thousand_small_tables_can_be_united() -> None:
    tables = {f"T{number}": {"a": "long"} for number in range(2000)}

    assert kql.translate("union " + ", ".join(tables), tables).count("FROM") >= 2000
