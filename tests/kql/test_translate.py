"""``translate`` reports problems with positions, several at once; refusals carry their reason."""

from __future__ import annotations

import pytest

from driftline import errors
from driftline.errors import QueryProblem
from driftline.kql import compiled, functions, translate

SCHEMA = {"Events": {"Name": "string", "When": "datetime", "Size": "long"}}


def problems(text: str) -> list[str]:
    with pytest.raises(errors.InvalidQuery) as caught:
        translate(text, SCHEMA)
    assert all(isinstance(problem, QueryProblem) for problem in caught.value.problems)
    return [str(problem) for problem in caught.value.problems]


def test_problems_have_positions_and_suggestions() -> None:
    assert problems("Events | where Nam == 'x'\n| extend b = strlenn(Name)") == (
        ["1:16: unknown column 'Nam'; did you mean 'Name'?", "2:14: unknown function 'strlenn'; did you mean 'strlen'?"]
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Event", "1:1: unknown table 'Event'; did you mean 'Events'?"),
        ("Events | where Size", ""),
        (
            "Events | where When > 5",
            "1:16: cannot compare datetime with long; convert one of them",
        ),
        (
            "Events | where count() > 5",
            "1:16: 'count' is an aggregate, which is only allowed in 'summarize' and similar operators",
        ),
        (
            "Events | extend r = row_number()",
            "1:21: 'row_number' needs rows in an order; put 'sort by' or 'serialize' before",
        ),
        ("Events | facet by Name", "1:10: not supported: the operator 'facet'"),
        (
            "externaldata(a:string) ['http://x']",
            "1:1: no list 'x': a hunt reads only the tables it is given",
        ),
        ("cluster('x').database('y').T", "1:1: not supported"),
        (
            "Events | summarize Size by Name",
            "1:20: 'Size' must stand inside an aggregate such as take_any(Size), or in 'by'",
        ),
    ],
)
def test_first_problem_of_a_query(text: str, expected: str) -> None:
    if not expected:
        assert translate(text, SCHEMA)
        return
    assert problems(text)[0].startswith(expected)


def test_result_columns_and_render_hint() -> None:
    found = compiled("Events | summarize count() by bin(When, 1h) | render timechart", SCHEMA)

    assert (found.columns, found.render) == ((("When", "datetime"), ("count_", "long")), "timechart")


def test_data_dependent_columns_must_be_declared_without_discover() -> None:
    with pytest.raises(errors.InvalidQuery, match=r"say them: evaluate pivot\(…\)"):
        translate("T | evaluate pivot(a)", {"T": {"a": "string"}})


@pytest.mark.parametrize(
    ("operator", "reason"),
    [
        ("fork (take 1) (count)", "a hunt has one result"),
        ("facet by a with (take 1)", "a hunt has one result"),
        ("consume", "it gives no rows"),
        ("evaluate diffpatterns(a)", "evaluate diffpatterns"),
        ("evaluate diffpatterns(a)", "Kusto does not say which patterns it prefers"),
        ("evaluate basket(0.1, 'a')", "with weights"),
        ("evaluate python(typeof(*), 'x')", "a hunt runs no programs"),
        ("invoke DeviceFromIP()", "Defender's own device inventory"),
        ("partition by a (evaluate narrow())", "within the body"),
        ("project-away *", "leaves no column"),
        ("project-keep z*", "leaves no column"),
        ("parse kind=regex flags=x a with 'b' c", "flags other than"),
    ],
)
def test_refusals_have_a_reason_and_a_position(operator: str, reason: str) -> None:
    with pytest.raises(errors.InvalidQuery, match=f"not supported.*{reason}") as caught:
        translate(f"T\n| {operator}", {"T": {"a": "string"}})

    assert [problem.line for problem in caught.value.problems] == [2]


@pytest.mark.parametrize(
    "text", ["externaldata (a:string) ['https://x/y.csv']", "cluster('c').database('d').T | take 1"]
)
def test_external_data_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidQuery, match="a hunt reads only the tables it is given"):
        translate(text, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("T | make-graph a --> b", "a graph is no result"),
        ("T | make-graph a --> b | take 1", "expected graph-match or graph-to-table"),
        ("T | graph-match (x)-->(y) project x.a", "expected make-graph before"),
        ("T | make-graph a --> n | graph-match (x)-->(y) project x.a", "two columns of one type"),
        ("T | make-graph a --> b | graph-match (x)-[e]->(y) project e.c", "unknown property 'c' of 'e'"),
        ("T | make-graph a --> b | graph-match (x)-[e*1..99]->(y) project e.a", "a path of a length up to 16"),
        ("T | make-graph a --> b | graph-match (x)-[e]->(y)-[e]->(z) project e.a", "each edge a name of its own"),
        ("T | make-graph a --> b | graph-match (x)-[y]->(y) project y.a", "each edge a name of its own"),
        ("T | make-graph a --> b | graph-match (x)-[e]->(y) where any(x, a == '') project e.a", "not supported: any"),
        ("T | make-graph a --> b | graph-to-table nodes", "these nodes have no columns"),
        ("T | make-graph a --> b | graph-shortest-paths (x)-[e]->(y) project 1", "an edge of variable length"),
        ("T | make-graph a --> b | graph-shortest-paths (x)-[e*1..2]->(y), (y)-->(z) project 1", "expected one path"),
        ("T | make-graph a --> b | graph-match (x)-[e]->(y) where labels(x) has 'a' project 1", "'labels': only the"),
        ("T | make-graph a --> b | graph-match (x)-[e]->(y) project node_degree_in(e)", "the name of a node"),
    ],
)
def test_problems_of_graph_operators(text: str, message: str) -> None:
    with pytest.raises(errors.InvalidQuery, match=message):
        translate(text, {"T": {"a": "string", "b": "string", "n": "long"}})


@pytest.mark.parametrize(
    ("operator", "message"),
    [
        ("scan with (step s: true;)", "scan needs rows in an order"),
        ("sort by a | scan with (step s optional: true;)", "not supported: optional steps"),
        ("sort by a | scan with (step s: true; step s: true;)", "each with a name of its own"),
        ("sort by a | scan declare (a:long) with (step s: true;)", "a column 'a' already exists"),
        ("sort by a | scan declare (x:long) with (step s: true => y = 1;)", "expected declared column = value"),
        ("sort by a | scan with (step s: s.z == 1;)", "unknown column 'z' of step 's'"),
        ("sort by a | scan declare (x:long) with (step s: true => x = 'text';)", "expected a long, got a string"),
    ],
)
def test_problems_of_scan(operator: str, message: str) -> None:
    with pytest.raises(errors.InvalidQuery, match=message):
        translate(f"T | {operator}", {"T": {"a": "string"}})


@pytest.mark.parametrize(
    ("operator", "message"),
    [
        ("evaluate basket(2.0)", "a threshold from 0.015 to less than 1"),
        ("invoke FileProfile(a, 0)", "a number of records from 1 to 10,000"),
        ("invoke FileProfile(a)", "FileProfile summarizes the table CloudProcessEvents, which is not among"),
        ("extend b = format_bytes(1, 0, 'XB')", "a unit of Bytes, KB"),
        ("extend b = datetime_utc_to_local(now(), 'Mars')", "the name of a time zone"),
        ("extend b = parse_command_line(a, 'bash')", "expected 'windows'"),
        ("where parse_version(a) < 5", "versions compare with versions"),
    ],
)
def test_invalid_arguments_show_the_expected_ones(operator: str, message: str) -> None:
    with pytest.raises(errors.InvalidQuery, match=message):
        translate(f"T | {operator}", {"T": {"a": "string"}})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("extract('(a)', 17, a)", "expected a constant group from 0 to 16"),
        ("extract('(a)', strlen(a), a)", "expected a constant long"),
        ("extract('(a', 1, a)", "unbalanced brackets"),
        ("extract('a(?=b)', 0, a)", "not supported: look-around"),
        ("extract('(?x) a b', 0, a)", "not supported: the flags x and R"),
        ("extract('(?-u:.)', 0, a)", "not supported: a regular expression without Unicode"),
        ("extract(@'[a-z&&[^b]]', 0, a)", "not supported: operations on sets"),
        (r"extract(@'\<a', 0, a)", "not supported: the start or end of a word"),
        ("extract('[a', 0, a)", "a set without an end"),
        ("extract('a|*', 0, a)", "repeats nothing"),
        ("extract('a{1001}', 0, a)", "not supported: more than 1000 repetitions"),
        ("extract('a{3,2}', 0, a)", "repeats less often at most"),
        (r"replace_regex(a, 'x', @'\n')", "behind each backslash"),
        ("extract('(a)', 1, a, typeof(number))", "unknown type 'number'"),
        ("extract_json('$.a', a, long)", r"expected typeof\(…\)"),
        ("extract_all('a', a)", "1 to 16 groups, got 0"),
        ("extract_all('(a)', dynamic([2]), a)", "has no group 2"),
        ("indexof(a, 'x', 0, -1, strlen(a))", "expected a constant long"),
        ("indexof(a, 'x', 0, -1, 2000)", "a constant occurrence of 1024 at most"),
        ("indexof(a, 'x', 'y')", "expected a long, got a string"),
        ("countof(a, 'x', 'plain')", "the kind 'normal' or 'regex'"),
        ("strlen(1)", "expected a string, got a long"),
        ("strcat_delim(',', a)", "got 2 arguments"),
        ("base64_encode_fromguid(a)", "expected a guid, got a string"),
        ("unicode_codepoints_to_string(a)", "expected a long or an array, got a string"),
        ("has_any_index(a, 'x')", "expected a dynamic, got a string"),
    ],
)
def test_problems_of_text_functions(value: str, message: str) -> None:
    with pytest.raises(errors.InvalidQuery, match=message):
        translate(f"T | extend b = {value}", {"T": {"a": "string"}})


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("T | reduce by a", "reduce"),
        ("T | evaluate autocluster()", "evaluate autocluster"),
        (
            "T | make-graph a --> b with_node_id=i | graph-mark-components | graph-to-table nodes",
            "graph-mark-components",
        ),
        ("T | extend x = series_fft(dynamic([1]))", "series_fft"),
        ("T | extend x = series_periods_detect(todynamic(a), 1.0, 5.0, 2)", "series_periods_detect"),
    ],
)
def test_clickhouse_refuses_by_the_name_in_the_query_and_with_a_reason(text: str, name: str) -> None:
    with pytest.raises(errors.InvalidQuery) as refusal:
        translate(text, {"T": {"a": "string", "b": "string"}}, dialect="clickhouse")

    (problem,) = refusal.value.problems
    assert f"not supported on clickhouse: '{name}'; ClickHouse has no function that computes it" in problem.message
    assert isinstance(problem, QueryProblem)
    assert text[problem.offset :].startswith(name)


def test_functions_only_of_duckdb_that_no_query_names_say_their_user() -> None:
    rows = {**functions.FUNCTIONS, **functions.AGGREGATES}.values()
    silent = {row.name for row in rows if row.only_on == "duckdb" and not row.doc and not row.used_by}

    # These are refused by the emitter itself, with a message of its own.
    assert silent == {"datetime_utc_to_local_of", "datetime_local_to_utc_of"}
