"""Any text is compiled to SQL that the engine accepts, or refused with ``InvalidQuery``."""

from __future__ import annotations

import contextlib
import functools
import random

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline import errors, kql
from driftline.kql.print import printer
from tests.kql.test_fixtures import FIXTURES

SCHEMA = {"T": {"a": "long", "s": "string", "t": "datetime", "d": "dynamic", "r": "real", "b": "bool", "p": "timespan"}}
DDL = "CREATE TABLE T (a BIGINT, s TEXT, t TIMESTAMP, d JSON, r DOUBLE, b BOOLEAN, p BIGINT)"
WORDS = [
    "T",
    "where",
    "project",
    "extend",
    "summarize",
    "by",
    "sort",
    "take",
    "join",
    "on",
    "kind",
    "=",
    "inner",
    "union",
    "count",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "|",
    ",",
    ";",
    ".",
    "..",
    ":",
    "+",
    "-",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "=~",
    "has",
    "in",
    "!",
    "and",
    "or",
    "not",
    "a",
    "s",
    "t",
    "d",
    "r",
    "b",
    "p",
    "1",
    "2.5",
    "1d",
    "'x'",
    '"y"',
    "dynamic(",
    "let",
    "=>",
    "datetime(2024-01-01)",
    "make-series",
    "mv-expand",
    "parse",
    "with",
    "step",
    "from",
    "to",
    "range",
    "print",
    "datatable",
    "bin(",
    "tostring(",
    "iff(",
    "sum(",
    "count()",
    "arg_max(",
    "null",
    "true",
    "limit",
    "top",
    "render",
]

leaves = st.sampled_from(
    [
        "a",
        "s",
        "t",
        "d",
        "r",
        "b",
        "p",
        "1",
        "2.5",
        "1h",
        "'x\\'y'",
        "true",
        "dynamic([1,'a'])",
        "datetime(2024-01-01)",
        "long(null)",
        "d.k[0]",
    ]
)
FUNCTIONS = [
    "tostring",
    "tolong",
    "bin",
    "strlen",
    "isnull",
    "isempty",
    "strcat",
    "iff",
    "coalesce",
    "startofday",
    "array_length",
    "split",
    "toreal",
    "not",
    "min_of",
    "pack_array",
]
OPS = ["+", "-", "*", "/", "%", "==", "!=", "<", "has", "contains", "!startswith", "=~", "and", "or", "matches regex"]


def deeper(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    call = st.tuples(st.sampled_from(FUNCTIONS), st.lists(inner, max_size=3)).map(
        lambda x: f"{x[0]}({', '.join(x[1])})"
    )
    binary = st.tuples(inner, st.sampled_from(OPS), inner).map(lambda x: f"({x[0]} {x[1]} {x[2]})")
    return call | binary


scalars = st.recursive(leaves, deeper, max_leaves=6)
operators = (
    scalars.map(lambda x: f"where {x}")
    | scalars.map(lambda x: f"extend x = {x}")
    | scalars.map(lambda x: f"project {x}, a")
    | scalars.map(lambda x: f"summarize count(), y = max({x}), make_list({x}) by a")
    | scalars.map(lambda x: f"sort by {x} asc")
    | scalars.map(lambda x: f"mv-expand z = {x}")
    | st.sampled_from(
        ["take 3", "count", "distinct *", "serialize r2 = row_number()", "join T on a", "union T", "top 2 by a"]
    )
)
BODY = "top 2 by a", "summarize x = count()", "where a > 1 | extend y = s", "sort by t asc | extend n = row_number()"
SHAPES = [
    "top-nested 2 of {0} with others = 'o' by count(), top-nested of s by max(a)",
    "make-series n = count(), max(a) on a step 1 by y = {0}",
    "make-series kind=nonempty n = sum(r) on t from datetime(2024-01-01) to datetime(2024-01-02) step 1h",
    "parse kind=relaxed s with 'x' y:long 'y' z | parse-kv s as (k:string, l:datetime)",
    "partition by s ({1})",
    "mv-apply e = d to typeof(long) on ({1})",
    "as V | union V | join kind=leftanti V on s",
    "sort by a asc | scan declare (m:long) with (step one: b => m = a; step two output=last: a > one.a and {0} == r;)",
    "make-graph s --> s with_node_id=i | graph-match (p)-[e*0..2]->(q) where p.i == q.i project w = e.a, v = q.i",
    "lookup (T | project a, g = {0}) on a",
    "search 'x*' or a == 1",
    "evaluate narrow()",
    "evaluate bag_unpack(d) : (*, k:long)",
    "evaluate pivot(s, max(a), b) : (*, x:long)",
    "sample-distinct 3 of {0}",
    "top-hitters 2 of {0} by a",
    "getschema",
    "project-away a*",
    "distinct s, {0}",
]
operators |= st.tuples(st.sampled_from(SHAPES), scalars, st.sampled_from(BODY)).map(lambda x: x[0].format(*x[1:]))
hunts = st.lists(operators, min_size=1, max_size=4).map(lambda found: " | ".join(["T", *found]))


def broken(texts: list[str], draw: random.Random) -> str:
    """Return a random text with a part replaced by a part of another text."""
    text, other = draw.choice(texts), draw.choice(texts)
    first, start = draw.randrange(len(text) + 1), draw.randrange(len(other) + 1)
    return text[:first] + other[start : start + draw.randrange(12)] + text[first + draw.randrange(12) :]


def test_spliced_queries_are_compiled_or_refused() -> None:
    draw, texts = random.Random(5), [query for _, query, _ in FIXTURES]

    for text in (broken(texts, draw) for _ in range(1500)):
        with contextlib.suppress(errors.InvalidQuery):
            once = printer.formatted(text)
            assert printer.formatted(once) == once, text
            kql.translate(text, SCHEMA)
            kql.translate(text, SCHEMA, "clickhouse")


@functools.cache
def engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(DDL)
    return connection


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join))
def test_random_text_is_compiled_or_refused(text: str) -> None:
    with contextlib.suppress(errors.InvalidQuery):
        kql.translate(text, SCHEMA)
        kql.translate(text, SCHEMA, "clickhouse")


@settings(max_examples=300, deadline=None)
@given(hunts)
def test_compiled_sql_binds_in_duckdb(text: str) -> None:
    with contextlib.suppress(errors.InvalidQuery):
        engine().execute("EXPLAIN " + kql.translate(text, SCHEMA))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30))
def test_string_literals_return_their_value(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")

    assert engine().execute(kql.translate(f"print '{escaped}'", {})).fetchall() == [(text,)]
