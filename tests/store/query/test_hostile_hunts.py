"""Queries of a hostile analyst end as a clear error, soon, and within a hunt's limits."""

from __future__ import annotations

import dataclasses
import time

import pytest

from driftline import errors
from driftline.store.query.limits import Limits
from tests.clickhouse_engine import EngineName, hunt

SOON = 20.0
SMALL = Limits(seconds=2, memory=256, rows=10_000, size=16, disk=16)
ENDLESS = "range a from 1 to 1000000000000 step 1"
TALL = "(range a from 1 to 1000000 step 1 | extend k = 1)"
TOO_LONG = "more elements than may be made"


@pytest.mark.parametrize("engine", ["duckdb", "clickhouse"])
@pytest.mark.parametrize(
    "text",
    [
        ENDLESS,
        f"{ENDLESS} | summarize sum(a)",
        "range d from datetime(2000-01-01) to datetime(2026-01-01) step 1ms | count",
        "print array_length(repeat(1, 1000000000))",
    ],
)
def test_ranges_of_too_many_elements_are_refused(text: str, engine: EngineName) -> None:
    with pytest.raises(errors.StoreError, match=TOO_LONG):
        hunt(text, {}, engine, limits=dataclasses.replace(SMALL, seconds=60))


@pytest.mark.parametrize("engine", ["duckdb", "clickhouse"])
def test_range_ends_at_kustos_limit_of_elements(engine: EngineName) -> None:
    text = "print a = array_length(range(1, 1000000000)), b = array_length(range(1000000000, 1, -1))"
    rows = hunt(text, {}, engine).to_pylist()

    assert rows == [{"a": 1_048_576, "b": 1_048_576}]


@pytest.mark.parametrize("engine", ["duckdb", "clickhouse"])
def test_ranges_count_up_and_down(engine: EngineName) -> None:
    text = "print a = range(1, 3), b = range(3, 1, -2), c = range(3, 1), d = array_length(range(1, 1048576))"
    rows = hunt(text, {}, engine).to_pylist()

    assert rows == [{"a": "[1,2,3]", "b": "[3,1]", "c": "[]", "d": 1_048_576}]


@pytest.mark.parametrize(
    "text",
    [
        f"{TALL} | join kind=inner {TALL} on k | join kind=inner {TALL} on k | summarize sum(a * a1 * a2)",
        "range a from 1 to 1000000 step 1 | extend l = range(1, 100) | mv-expand l | extend m = range(1, 1000)"
        " | mv-expand m | count",
        "range a from 1 to 9000000 step 1 | summarize make_list(a)",
        "range a from 1 to 9000000 step 1 | extend s = strcat(strrep('abcdefgh', 100), a) | summarize make_set(s)",
        "range a from 1 to 20000 step 1",
        "range k from 1 to 100000 step 1 | extend t = datetime(2026-01-01)"
        " | make-series count() on t from datetime(1990-01-01) to datetime(2100-01-01) step 1h by k",
        "datatable(t: datetime)[datetime(2026-01-01)]"
        " | make-series count() on t from datetime(1900-01-01) to datetime(2100-01-01) step 1ms",
        "print 'a' matches regex '((a{1,100}){1,100}){1,100}'",
        "print strrep(strrep(strrep('a', 1024), 1024), 1024)",
        "print strrep(strrep(strrep('a', 1024), 1024), 2, strrep('b', 1024))",
        "range a from 1 to 200000 step 1"
        " | scan declare (m: dynamic) with (step s: true => m = array_concat(s.m, pack_array(a));)",
        "range a from 1 to 100000 step 1 | extend l = repeat(a, 100000) | summarize make_list(l)",
        "range k from 1 to 100000 step 1 | evaluate pivot(k)",
        "range a from 1 to 1000 step 1 | mv-apply l = range(1, 1000000) on (summarize sum(tolong(l)))",
    ],
)
def test_a_hunt_beyond_the_limits_fails_and_the_next_hunt_works(text: str) -> None:
    began = time.monotonic()

    with pytest.raises(errors.StoreError):
        hunt(text, {}, limits=SMALL)

    assert time.monotonic() - began < SOON
    assert hunt("print a = 1", {}, limits=dataclasses.replace(SMALL, seconds=60)).to_pylist() == [{"a": 1}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x" * 1_000_000, "at most 500,000 characters"),
        ("print " + "(" * 100_000, "nested too deeply"),
        ("print " + "not(" * 2000 + "true" + ")" * 2000, "nested too deeply"),
        ("print " + "+".join(["1"] * 50_000), "nested too deeply|more than 20,000 parts"),
        ("print a = 1 " + "| extend a = a + 1 " * 5000, "nested too deeply|more than 20,000 parts"),
        ("let d = (s: string) { strcat(s, s, s, s, s) }; print " + "d(" * 12 + "'a'" + ")" * 12, "100,000 parts"),
        ("let f = (x: long) { f(x) }; print f(1)", "unknown|deeper"),
        ("externaldata(a: string)['/etc/passwd']", "no list 'passwd'"),
        ("read_csv('/etc/passwd')", "unknown table function"),
        ("['/etc/passwd']", "unknown table"),
        ("print x = getenv('HOME')", "unknown function"),
        ("print x = read_text('/etc/passwd')", "unknown function"),
        ("print x = file('/etc/passwd')", "unknown function"),
        ("print x = error('x')", "unknown function"),
        ("print x = at_most(1, 0)", "unknown function"),
        ("print 1; ATTACH '/etc/passwd'", "expected"),
        ("evaluate http_request('http://192.0.2.1')", "expected|http_request"),
        ("cluster('x').database('y').T", "not supported"),
    ],
)
@pytest.mark.parametrize("engine", ["duckdb", "clickhouse"])
def test_oversized_and_forbidden_queries_are_refused_before_they_run(text: str, said: str, engine: EngineName) -> None:
    began = time.monotonic()

    with pytest.raises(errors.InvalidQuery, match=said):
        hunt(text, {}, engine, limits=SMALL)

    assert time.monotonic() - began < SOON


@pytest.mark.parametrize(
    "text",
    [
        "print " + "(" * 500 + "1" + ")" * 500,
        "print " + "not(" * 500 + "true" + ")" * 500,
        "print dynamic(" + "[" * 500 + "]" * 500 + ")",
        "print " + "-" * 500 + "1",
        "print 1 | where 1 in (" + "print 1 | where 1 in (" * 500 + ")" * 501 + " | nonsense",
        "print 1 | union (" + "print 1 | union (" * 500 + ")" * 501,
        "let f = () { print 1 | where " + "(" * 500 + "1" + ")" * 500 + " }; f()",
    ],
)
def test_too_deep_nesting_is_one_problem_at_its_position(text: str) -> None:
    with pytest.raises(errors.InvalidQuery, match="nested too deeply") as caught:
        hunt(text, {})

    assert [0 < problem.column < len(text) / 5 for problem in caught.value.problems] == [True]


def test_a_string_literal_never_becomes_sql_over_input_tables() -> None:
    text = "'; ATTACH '/tmp/x'; SELECT read_text('/etc/passwd') --"

    assert hunt(f'print x = "{text}"', {}).to_pydict() == {"x": [text]}


@pytest.mark.parametrize("engine", ["duckdb", "clickhouse"])
@pytest.mark.parametrize("call", ["tostring(totimespan({}))", "tostring(todatetime({}))", "tostring(parse_json({}).x)"])
def test_nested_conversions_do_not_multiply_the_sql(call: str, engine: EngineName) -> None:
    value = "s"
    for _ in range(8):
        value = call.format(value)
    rows = 'datatable(s: string) ["01:00:00", ""]'
    text = f"{rows} | where isempty({value}) | extend x = {value} | summarize count(), max(x)"

    assert hunt(text, {}, engine).num_rows == 1


@pytest.mark.parametrize("engine", ["duckdb", "clickhouse"])
def test_has_any_with_many_words_ends_within_the_time_limit(engine: EngineName) -> None:
    words = ", ".join(f"'W{2 * number}'" for number in range(12_000))
    text = f"range a from 1 to 1000 step 1 | where strcat('x w', a, '-y') has_any ('p.q', '-z', {words}) | count"

    assert hunt(text, {}, engine).to_pylist() == [{"Count": 500}]
