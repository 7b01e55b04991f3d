# ruff: noqa: E501 -- tables of expressions
"""Hypothesis strategies of valid queries: pipelines whose columns and values have known types."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hypothesis import strategies as st

__all__ = ["TABLES", "pipelines"]

Columns = Mapping[str, str]
TABLES = """let T = datatable (id: long, s: string, n: long, r: real, b: bool, t: datetime, p: timespan, d: dynamic) [
 1, "abc", 3, 1.5, true, datetime(2026-01-02 03:04:05), 1h, dynamic({"k": 1, "l": [2, "x"]}),
 2, "", long(null), real(null), bool(null), datetime(null), time(null), dynamic(null),
 3, "Ä b/C,d", -7, -0.25, false, datetime(1999-12-31), -90s, dynamic([3, "a", null, [1.5]]),
 4, "12", 0, 1000000.5, true, datetime(2026-01-02 23:59:59.5), 2d, dynamic([]),
 5, "abc", 9000000000, 0.125, false, datetime(2024-02-29), 0s, dynamic("abc"),
 6, "a,b,a", 3, 2.75, bool(null), datetime(2026-01-02 03:04:05), 36s, dynamic({})];
let U = datatable (key: string, m: long, u: datetime) [
 "abc", 1, datetime(2026-01-02), "abc", long(null), datetime(null), "12", 5, datetime(2020-01-01), "", 3, datetime(1999-12-31)];
"""
START: Columns = {
    "id": "long",
    "s": "string",
    "n": "long",
    "r": "real",
    "b": "bool",
    "t": "datetime",
    "p": "timespan",
    "d": "dynamic",
}
CONSTANTS = {
    "long": ["0", "1", "-3", "12"],
    "real": ["0.5", "-2.25"],
    "string": ["'a'", "''", "'abc'", "'Ä'"],
    "bool": ["true", "false"],
    "datetime": ["datetime(2026-01-02)", "datetime(2000-02-29 12:00)"],
    "timespan": ["1h", "-2d", "90s"],
    "dynamic": ["dynamic([1, 'a'])", "dynamic({'k': 'v'})", "dynamic(null)"],
}
# Expressions by the type of their result; a type in braces is replaced by an expression of that type. Arrays have no
# reals, because ClickHouse writes an element 2.0 as 2.
CALLS = {
    "long": """({long} + {long})|({long} - {long})|({long} * 3)|({long} % 5)|abs({long})|sign({long})|bin({long}, 4)
        |strlen({string})|indexof({string}, {string})|countof({string}, 'a')|tolong({string})|tolong({bool})|tolong({real})
        |array_length({dynamic})|coalesce({long}, {long})|iff({bool}, {long}, {long})
        |min_of({long}, {long})|max_of({long}, {long})|case({bool}, {long}, {bool}, {long}, {long})
        |datetime_diff('day', {datetime}, {datetime})|datetime_diff('hour', {datetime}, {datetime})|dayofyear({datetime})
        |hourofday({datetime})|getmonth({datetime})|week_of_year({datetime})|({timespan} / 1h * 0 + 1 > 0) * 1""",
    "real": """({real} + {long})|({real} * {real})|({long} / 2.0)|round({real}, 1)|toreal({long})|toreal({string})|sqrt(abs({real}))
        |iff({bool}, {real}, {real})|coalesce({real}, {real})|floor({real}, 1.0)|exp2(sign({real}))|({timespan} / 1h)""",
    "string": """strcat({string}, {string})|strcat({string}, '-', {long})|tolower({string})|toupper({string})|substring({string}, 1, 2)
        |tostring({long})|tostring({bool})|tostring({datetime})|tostring({timespan})|tostring({dynamic})|tostring({dynamic}.k)
        |trim('a', {string})|trim_start('[ab]+', {string})|replace_string({string}, 'a', 'xy')|replace_regex({string}, '([a-b])', '<\\\\1>')
        |reverse({string})|tostring(split({string}, ',')[0])|iff({bool}, {string}, {string})|strcat_array({dynamic}, '+')
        |extract('([a-z]+)', 1, {string})|format_datetime({datetime}, 'yyyy-MM-dd HH')|gettype({dynamic})|strcat_delim(',', {string}, {long})
        |url_encode({string})|base64_encode_tostring({string})|coalesce({string}, {string})|tohex({long})""",
    "bool": """({long} > {long})|({long} <= {long})|({long} == {long})|({long} != {long})|({string} == {string})|({string} != {string})
        |({string} has {string})|({string} contains 'B')|({string} startswith {string})|({string} endswith 'c')|({string} =~ 'ABC')
        |({string} in ('abc', '12'))|({string} in~ ('ABC', ''))|({string} matches regex '^[a-c]+$')|isempty({string})|isnull({long})
        |isnotnull({datetime})|isempty({dynamic})|({datetime} < {datetime})|({datetime} between ({datetime} .. {datetime}))
        |({long} between (0 .. 5))|({bool} and {bool})|({bool} or {bool})|not({bool})|({real} >= {real})|set_has_element({dynamic}, {long})
        |({timespan} > {timespan})|({string} has_any ('abc', 'b'))|tobool({string})|({string} !has 'a')|({long} !in (1, 3))""",
    "datetime": """({datetime} + {timespan})|startofday({datetime})|startofmonth({datetime})|endofweek({datetime})|bin({datetime}, 1h)
        |datetime_add('month', 1, {datetime})|iff({bool}, {datetime}, {datetime})|todatetime({string})|coalesce({datetime}, {datetime})""",
    "timespan": """({datetime} - {datetime})|({timespan} + {timespan})|({timespan} * 2)|bin({timespan}, 1m)|totimespan({string})""",
    "dynamic": """pack_array({long}, {string})|bag_pack('k', {string}, 'n', {long})|array_concat({dynamic}, {dynamic})|split({string}, ',')
        |{dynamic}.k|{dynamic}[1]|array_slice({dynamic}, 0, 1)|array_reverse({dynamic})|todynamic({string})|pack_array({bool}, {timespan})
        |bag_merge({dynamic}, {dynamic})|bag_keys({dynamic})|set_union({dynamic}, {dynamic})|array_sort_asc({dynamic})|extract_all('([a-c])', {string})
        |iff({bool}, {dynamic}, {dynamic})|range(1, 3)|pack_array({timespan}, {datetime})|bag_remove_keys({dynamic}, dynamic(['k']))""",
}
MAKERS = {kind: [each.strip() for each in text.split("|")] for kind, text in CALLS.items()}
AGGREGATES = {
    "long": [
        "count()",
        "sum({long})",
        "min({long})",
        "max({long})",
        "countif({bool})",
        "dcount({string})",
        "sumif({long}, {bool})",
    ],
    "real": ["avg({long})", "max({real})", "percentile({real}, 50)"],
    "string": ["max({string})", "minif({string}, {bool})", "tostring(make_set({string}))"],
    "datetime": ["min({datetime})", "maxif({datetime}, {bool})"],
    "dynamic": ["make_set({long})", "make_list(n)"],
}


@st.composite
def value(draw: st.DrawFn, columns: Columns, kind: str, depth: int = 3) -> str:
    """Draw an expression of a type over columns."""
    simple = [name for name, each in columns.items() if each == kind] * 3 + CONSTANTS[kind]
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(simple))
    return draw(filled(draw(st.sampled_from(MAKERS[kind])), columns, depth - 1))


@st.composite
def filled(draw: st.DrawFn, template: str, columns: Columns, depth: int = 1) -> str:
    """Draw an expression from a template: each type in braces becomes an expression of that type."""
    for kind in CONSTANTS:
        while f"{{{kind}}}" in template:
            template = template.replace(f"{{{kind}}}", draw(value(columns, kind, depth)), 1)
    return template


Step = tuple[str, Columns]
kinds = st.sampled_from([*CONSTANTS])


@st.composite
def where(draw: st.DrawFn, columns: Columns) -> Step:
    return f"where {draw(value(columns, 'bool'))}", columns


@st.composite
def extend(draw: st.DrawFn, columns: Columns) -> Step:
    kind, name = draw(kinds), draw(st.sampled_from(["x", "y", "s", "n"]))
    return f"extend {name} = {draw(value(columns, kind))}", {**columns, name: kind}


@st.composite
def project(draw: st.DrawFn, columns: Columns) -> Step:
    kept = {name: kind for name, kind in columns.items() if name != "z" and draw(st.booleans())}
    kind = draw(kinds)
    return f"project {', '.join([*kept, f'z = {draw(value(columns, kind))}'])}", {**kept, "z": kind}


@st.composite
def summarize(draw: st.DrawFn, columns: Columns) -> Step:
    key = draw(st.sampled_from(["string", "long", "bool", "datetime"]))
    group = draw(value(columns, key, 1))
    kind = draw(st.sampled_from([*AGGREGATES]))
    made = [each for each in AGGREGATES[kind] if each != "make_list(n)" or "n" in columns]
    aggregate = draw(filled(draw(st.sampled_from(made)), columns))
    if aggregate.startswith("make_list"):
        aggregate = f"array_sort_asc({aggregate})"
    return f"summarize v = {aggregate} by g = {group}", {"g": key, "v": kind}


@st.composite
def joined(draw: st.DrawFn, columns: Columns) -> Step:
    kind = draw(st.sampled_from(["inner", "leftouter", "leftanti", "leftsemi", "fullouter", "rightouter"]))
    text = f"extend key = {draw(value(columns, 'string', 1))} | join kind={kind} (U) on key"
    left = {**columns, "key": "string"}
    return text, left if kind in {"leftanti", "leftsemi"} else {**left, "key1": "string", "m": "long", "u": "datetime"}


@st.composite
def expanded(draw: st.DrawFn, columns: Columns) -> Step:
    kind = draw(st.sampled_from(["string", "dynamic"]))
    typed = "" if kind == "dynamic" else f" to typeof({kind})"
    return f"mv-expand e = {draw(value(columns, 'dynamic', 1))}{typed}", {**columns, "e": kind}


@st.composite
def others(draw: st.DrawFn, columns: Columns) -> Step:
    by = draw(value(columns, "long", 1))
    found = {
        "distinct": (f"distinct {', '.join(columns)}", columns),
        "union": ("union (U | project m, key)", {**columns, "m": "long", "key": "string"}),
        "parse": (
            f"extend text = {draw(value(columns, 'string', 1))} | parse text with f ',' h:long *",
            {**columns, "text": "string", "f": "string", "h": "long"},
        ),
        "top": (f"summarize c = count() by g = {by} | top 2 by g asc", {"g": "long", "c": "long"}),
        "row_number": (
            f"summarize c = count() by g = {by} | sort by g desc | extend i = row_number(), before = prev(g)",
            {"g": "long", "c": "long", "i": "long", "before": "long"},
        ),
        "make-series": (
            f"extend axis = {draw(value(columns, 'datetime', 1))}"
            " | make-series k = count() on axis from datetime(2026-01-01) to datetime(2026-01-03) step 6h",
            {"k": "dynamic", "axis": "dynamic"},
        ),
        "getschema": ("getschema | project ColumnName, ColumnType", {"ColumnName": "string", "ColumnType": "string"}),
    }
    return found[draw(st.sampled_from([*found]))]


STEPS: list[Callable[[Columns], st.SearchStrategy[Step]]] = [
    where,
    extend,
    project,
    summarize,
    joined,
    expanded,
    others,
]


@st.composite
def pipelines(draw: st.DrawFn) -> str:
    """Draw a query of two to five operators over the tables of ``TABLES``."""
    columns, parts = START, ["T"]
    for _ in range(draw(st.integers(2, 5))):
        taken = {"key", "key1", "m", "u", "text", "f", "h"} & columns.keys()
        steps = [step for step in STEPS if not taken or step not in (joined, others)]
        text, columns = draw(draw(st.sampled_from(steps))(columns))
        parts.append(text)
    return TABLES + " | ".join(parts)
