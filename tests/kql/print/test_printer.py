"""Printed text parses to the tree it was printed from, and prints again as the same text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline import errors, hunts
from driftline.kql.parse import parse
from driftline.kql.print import comments, printer
from driftline.kql.text.literals import string

HERE = Path(__file__).parents[1]
FIXTURES = [
    block.strip().partition("\n")[2].partition("\n=>\n")[0]
    for path in sorted((HERE / "fixtures").rglob("*.kql"))
    for block in path.read_text().split("\n---\n")
]
HUNTS = [query for file in sorted((HERE / "queries").glob("*.kql")) for query in file.read_text().split("\n---\n")]
LIBRARY = [hunt.query for hunt in hunts.load().values()]

words = st.sampled_from(["a", "count", "on", "true", "datetime", "print", "in~", "a b", "x'y", '"', "1d", "$left", ""])
texts = st.text(max_size=8)
numbers = st.integers(0, 2**63).map(str) | st.floats(0, allow_nan=False, allow_infinity=False).map(repr)
constants = (
    numbers
    | texts.map(string)
    | st.sampled_from(
        [
            "1d",
            "time(' 1d')",
            "datetime(null)",
            "long(-3)",
            "real(-inf)",
            "dynamic({'a b': [-1, null, long(null)]})",
            "true",
        ]
    )
)
leaves = constants | words.map(lambda word: f"[{string(word)}]")
OPS = ["+", "-", "*", "/", "%", "==", "!=", "<", "has", "!startswith", "=~", "and", "or", "matches regex", ":"]


def deeper(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from(OPS), inner).map(lambda x: f"({x[0]}) {x[1]} ({x[2]})"),
        st.tuples(inner, st.sampled_from(OPS), inner).map(" ".join),
        inner.map(lambda x: f"-({x})"),
        inner.map(lambda x: f"datetime(({x}))"),
        st.tuples(inner, inner).map(lambda x: f"({x[0]})[{x[1]}]"),
        st.tuples(inner, words).map(lambda x: f"({x[0]}).[{string(x[1])}]"),
        st.lists(inner, max_size=3).map(lambda x: f"f({', '.join(x)})"),
        st.tuples(inner, inner, inner).map(lambda x: f"({x[0]}) !between ({x[1]} .. {x[2]})"),
        st.tuples(inner, st.lists(inner, max_size=3)).map(lambda x: f"({x[0]}) in ({', '.join(x[1])})"),
        inner.map(lambda x: f"toscalar(T | where {x} | count)"),
    )


scalars = st.recursive(leaves, deeper, max_leaves=8)


def holds(text: str) -> None:
    tree = parse(text)
    once = printer.printed(tree)

    assert (repr(parse(once)), printer.printed(parse(once))) == (repr(tree), once)  # a NaN equals no NaN


@pytest.mark.parametrize("text", FIXTURES + HUNTS + LIBRARY)
def test_printed_query_parses_to_the_same_tree_and_prints_the_same(text: str) -> None:
    holds(text)


@pytest.mark.parametrize("text", FIXTURES + HUNTS + LIBRARY)
def test_formatting_is_idempotent_and_keeps_every_comment(text: str) -> None:
    once = printer.formatted(text)

    assert printer.formatted(once) == once
    assert sorted(comments.texts(once)) == sorted(comments.texts(text))


@given(scalars)
def test_printed_expression_parses_to_the_same_tree(expression: str) -> None:
    try:
        parse(f"T | extend x = {expression}")
    except errors.InvalidQuery:
        return

    holds(f"T | extend x = {expression}")


def test_pipeline_is_printed_one_step_a_line() -> None:
    text = "let n=5;T|where a>n and(b or c)|join(U|project k,v=1)on k|order by a"

    assert printer.formatted(text).splitlines() == [
        "let n = 5;",
        "T",
        "| where a > n and (b or c)",
        "| join (",
        "    U",
        "    | project k, v = 1",
        ") on k",
        "| sort by a",
    ]


def test_comment_is_printed_above_its_step_or_statement() -> None:
    text = "// what\nT // whose\n| where a // why\n  // because\n  and b\n// how many\n| count // at last\n// end"

    assert printer.formatted(text).splitlines() == [
        "// what",
        "// whose",
        "T",
        "// why",
        "// because",
        "| where a and b",
        "// how many",
        "// at last",
        "| count",
        "// end",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "print ['true'], ['a b'], x = ['print']",
        "print datetime((a)), time(' 1d '), time('null'), guid(null), real(nan), 1e300, decimal(-1.5)",
        "print 'a\\\\b\"', @'c\\d', 'e\\n\\u2028', ```f\n\\g```",
        "T | make-series n=count() default=0 on t in range(a, b, 1h) by c",
        "T | partition hint.strategy=native by k { T | count }",
        "T | partition by k (as P | where a == 1 | count)",
        "externaldata(a: string) [@'https://x\n/y'] with (format='csv') | take 1",
        "let f = (x: long = 1, t: (*)) { let y = x; t | where a == y | search * }; f(2, T)",
        "search in (A, ['b c']) * | where x",
        "E | make-graph a --> b with N on k | graph-match (x)-[e*1..3]->()<--(z)--(w) project x.a",
        "E | make-graph a --> b | graph-shortest-paths output=all (x)-[e*1..3]->(y) where all(e, k) project 1",
        "E | make-graph a --> b | graph-shortest-paths (x)-[e*1..3]->(y) project node_degree_in(x)",
        "E | make-graph a --> b | graph-mark-components kind=strong with_component_id=c | graph-to-table nodes",
        "E | make-graph a --> b | graph-mark-components | graph-to-table edges with_source_id=s with_target_id=t",
        "E | make-graph a --> b | graph-to-table nodes with_node_id=i",
        "T | scan declare (n: long = 0) with (step s optional output=last: a == 1 => n = s.n + 1;)",
        "T | top-nested of a with others = 'x' by count() desc, top-nested 3 of b by sum(c)",
        "T | where a in ((U | project c), 'x') and f((U | count), (print 1), k=2) > toscalar(U | count)",
        "set request_description = 'a b'; declare query_parameters (n: long = 3); T | take n",
    ],
)
def test_rare_forms_survive_printing_and_parsing(text: str) -> None:
    holds(text)


def test_query_too_deep_for_pythons_stack_is_refused() -> None:
    with pytest.raises(errors.InvalidQuery, match="nested so deeply"):
        printer.formatted("print " + " + ".join(["1"] * 20_000))


@pytest.mark.parametrize("value", ["-'x'", "-true", "-long(null)", "-1d"])
def test_sign_in_dynamic_is_only_allowed_before_numbers(value: str) -> None:
    with pytest.raises(errors.InvalidQuery, match="expected a constant"):
        parse(f"print dynamic([{value}])")


def test_line_break_within_a_literal_is_printed_as_a_space() -> None:
    once = printer.formatted(
        f"print k = gettype(datetime(2026-01-01\n 10:00)), {', '.join(f'column{n} = {n}' for n in range(20))}"
    )

    assert "datetime(2026-01-01 10:00)" in once
    assert printer.formatted(once) == once
