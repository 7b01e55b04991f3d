# ruff: noqa: E501 -- the messages are compared whole
"""Each typical mistake is one problem, with its position, what was expected and what to write instead."""

from __future__ import annotations

import pytest

from driftline import errors
from driftline.kql import compiled, functions

SCHEMA = {
    "Processes": {"Timestamp": "datetime", "File": "string", "Account": "string", "Pid": "long", "Fields": "dynamic"},
    "Network": {"Timestamp": "datetime", "Port": "long", "File": "string"},
}
MISTAKES: list[tuple[str, list[str]]] = [
    ("SELECT * FROM Processes", ["1:1 'SELECT' is SQL; a hunt begins with a table: Table | where … | project …"]),
    (
        "SELECT File FROM Processes WHERE File = 'x'",
        ["1:1 'SELECT' is SQL; a hunt begins with a table: Table | where … | project …"],
    ),
    (
        'Processes | extend x = 1 where File = "bash"',
        ["1:26 expected '|' or the end of the query, got 'where'; put '|' before 'where'"],
    ),
    (
        'Processes | where File == "bash" AND Account == "root"',
        ["1:34 expected '|' or the end of the query, got 'AND'; write 'and'"],
    ),
    (
        'Processes | where File == "bash" OR Account == "root"',
        ["1:34 expected '|' or the end of the query, got 'OR'; write 'or'"],
    ),
    ('Processes | where File == "bash" && Account == "root"', ["1:34 unexpected '&&'; write 'and'"]),
    ('Processes | where File == "bash" || Account == "root"', ["1:35 unexpected '||'; write 'or'"]),
    ('Processes | where File LIKE "%bash%"', ["1:24 expected '|' or the end of the query, got 'LIKE'; write 'like'"]),
    ('Processes | where NOT File == "bash"', ["1:23 expected '|' or the end of the query, got 'File'; write not(…)"]),
    ('Processes | where not File == "bash"', ["1:23 expected '|' or the end of the query, got 'File'; write not(…)"]),
    ('Processes | where !(File == "bash")', ["1:19 unexpected character '!'; write not(…)"]),
    ('Processes | where File IN ("a", "b")', ["1:24 expected '|' or the end of the query, got 'IN'; write 'in'"]),
    (
        'Processes | where File not in ("a", "b")',
        ["1:24 expected '|' or the end of the query, got 'not'; write '!' before the operator, as in !in or !contains"],
    ),
    ('Processes | where File in ["a", "b"]', ["1:27 expected '(', got '['; write a list in round brackets"]),
    ('Processes | where File in "a", "b"', ["1:27 expected '(', got 'a'"]),
    (
        "Processes | where File is null",
        ["1:24 expected '|' or the end of the query, got 'is'; write isnull(…), or isempty(…) for strings"],
    ),
    ("Processes | where File == null", ["1:27 unknown column 'null'; use isnull(…), or isempty(…) for strings"]),
    ("Processes | where File != NULL", ["1:27 unknown column 'NULL'; use isnull(…), or isempty(…) for strings"]),
    ("Processes | summarize count(*) by File", ["1:29 expected a value here, got '*'; count() takes nothing"]),
    (
        "Processes | summarize n == count() by File",
        ["1:23 '==' compares, and there is no column 'n'; '=' names a value"],
    ),
    ("Processes | summarize count() File", ["1:31 expected '|' or the end of the query, got 'File'"]),
    ("Processes | summarize count by File", ["1:23 unknown column 'count'; did you mean 'count()'?"]),
    (
        "Processes | summarize count(), File",
        ["1:32 'File' must stand inside an aggregate such as take_any(File), or in 'by'"],
    ),
    ("Processes | group by File", ["1:13 unknown operator 'group'; did you mean 'summarize … by'?"]),
    (
        'Processes where File == "bash"',
        ["1:11 expected '|', ';' or the end of the query, got 'where'; put '|' before 'where'"],
    ),
    (
        'Processes\n| where File == "bash"\nwhere Account == "root"',
        ["3:1 expected '|' or the end of the query, got 'where'; put '|' before 'where'"],
    ),
    ('Processes | where (File == "bash" or (Account == "root")', ["1:57 expected ')', got the end of the query"]),
    ('Processes | where File == "bash") | take 5', ["1:33 expected '|', ';' or the end of the query, got ')'"]),
    (
        'Processes | where File == "bash" |',
        ["1:35 expected an operator such as 'where' or 'summarize', got the end of the query"],
    ),
    (
        'Processes | where File == "bash" | | take 5',
        ["1:36 expected an operator such as 'where' or 'summarize', got '|'"],
    ),
    ("Processes | where File == “bash”", ["1:27 unexpected character '“'; write strings in straight quotes"]),
    ("Processes | where File == `bash`", ["1:27 unexpected character '`'; write strings in straight quotes"]),
    ('Processes | where File == "bash | take 5', ['1:27 this string has no closing " on its line']),
    ("Processes | where File == 'bash\n| take 5", ["1:27 this string has no closing ' on its line"]),
    ('Processes | where Fil == "bash"', ["1:19 unknown column 'Fil'; did you mean 'File'?"]),
    ("Proceses | take 5", ["1:1 unknown table 'Proceses'; did you mean 'Processes'?"]),
    (
        'Processes | where Pid == "a2"',
        ["1:19 cannot compare long with string; write a number without quotes, or convert it with tostring(…)"],
    ),
    (
        'Processes | where Timestamp > "2026-01-01"',
        ["1:19 cannot compare datetime with string; write datetime(2026-01-31) or todatetime(…)"],
    ),
    ("Processes | where Timestamp > 1d", ["1:19 cannot compare datetime with timespan; write ago(1d) for a day ago"]),
    (
        'Processes | where Timestamp > ago("1d")',
        ["1:31 expected a timespan, got a string; write 1d or 5m, without quotes"],
    ),
    ("Processes | where Timestamp > now() - 1 day", ["1:41 expected '|' or the end of the query, got 'day'; write 1d"]),
    ("Processes | where Timestamp between (ago(2d), now())", ["1:45 expected '..', got ','"]),
    ("Processes | where Timestamp between ago(2d) and now()", ["1:37 expected '(', got 'ago'"]),
    ("Processes | order by Timestamp DESC", ["1:32 expected '|' or the end of the query, got 'DESC'; write 'desc'"]),
    ("Processes | order Timestamp desc", ["1:19 expected 'by', got 'Timestamp'"]),
    (
        "Processes | sort by Timestamp descending",
        ["1:31 expected '|' or the end of the query, got 'descending'; write 'desc'"],
    ),
    ("Processes | top 5 Timestamp", ["1:19 expected 'by', got 'Timestamp'"]),
    ("Processes | limit", ["1:18 expected an expression, got the end of the query"]),
    ("Processes | project File Account", ["1:26 expected '|' or the end of the query, got 'Account'"]),
    (
        "Processes | project File as Name",
        ["1:26 expected '|' or the end of the query, got 'as'; write the new name first: new = old"],
    ),
    ("Processes | project *", ["1:21 project takes no '*'; leave the operator out to keep all columns"]),
    ("Processes | extend Name == File", ["1:20 '==' compares, and there is no column 'Name'; '=' names a value"]),
    ("Processes | extend x = tolowercase(File)", ["1:24 unknown function 'tolowercase'; did you mean 'tolower'?"]),
    (
        'Processes | extend x = lower(File), y = len(File), z = concat("a", "b"), s = substr(File, 1), i = ifnull(File, ""), l = length(File)',
        [
            "1:24 unknown function 'lower'; did you mean 'tolower'?",
            "1:41 unknown function 'len'; did you mean 'strlen'?",
            "1:56 unknown function 'concat'; did you mean 'strcat'?",
            "1:78 unknown function 'substr'; did you mean 'substring'?",
            "1:99 unknown function 'ifnull'; did you mean 'coalesce'?",
            "1:121 unknown function 'length'; did you mean 'strlen'?",
        ],
    ),
    ("Processes | extend x = strlen(File, 5)", ["1:24 expected strlen(string): long, got 2 arguments"]),
    ('Processes | extend x = iff(File == "a", 1)', ["1:24 expected 3 arguments in 'iff', got 2"]),
    ("Processes | join Network File", ["1:26 expected '|' or the end of the query, got 'File'"]),
    ("Processes | join Network on File == File", ["1:29 expected a column, or $left.File == $right.File"]),
    ("Processes | join Network on left.File == right.File", ["1:29 expected a column, or $left.File == $right.File"]),
    ("Processes | join kind=outer (Network) on File", ["1:18 unknown kind of join 'outer'; did you mean 'fullouter'?"]),
    ("Processes | join kind=left Network on File", ["1:18 unknown kind of join 'left'; did you mean 'leftouter'?"]),
    ("Processes | left join Network on File", ["1:13 unknown operator 'left'; did you mean 'join kind=leftouter'?"]),
    ("Processes | join Network on file", ["1:29 unknown column 'file'; did you mean 'File'?"]),
    ('Processes | where File has_any "a", "b"', ["1:32 expected '(', got 'a'"]),
    ('Processes | where File !has_any ("a", "b")', ["1:24 unknown operator '!has_any'; write not(x has_any …)"]),
    ("Processes | where File contains", ["1:32 expected an expression, got the end of the query"]),
    (
        'Processes | where File matches "a.*"',
        ["1:24 expected '|' or the end of the query, got 'matches'; write 'matches regex'"],
    ),
    ('Processes | where File matches regex "a(b"', ["1:38 this regular expression has unbalanced brackets"]),
    ("Processes | where File =~ /a.*/", ["1:27 expected an expression, got '/'"]),
    ("let x = 5\nProcesses | take x", ["2:1 expected ';', got 'Processes'"]),
    ("let x 5;\nProcesses | take 5", ["1:7 expected '=', got '5'"]),
    ("let f(x) = x + 1; print f(1)", ["1:6 expected '=', got '('"]),
    ("Processes | distinct", ["1:21 expected an expression, got the end of the query"]),
    ('Processes | Where File == "x"', ["1:13 unknown operator 'Where'; did you mean 'where'?"]),
    ('Processes | WHERE File == "x"', ["1:13 unknown operator 'WHERE'; did you mean 'where'?"]),
    ("processes | take 5", ["1:1 unknown table 'processes'; did you mean 'Processes'?"]),
    (
        'Processes | take "5"',
        ["1:18 expected a long, got a string; write a number without quotes, or convert it with tostring(…)"],
    ),
    (
        "Processes | mv-expand File",
        ["1:23 expected a dynamic, got a string; todynamic(…) parses JSON, split(…) makes an array"],
    ),
    (
        "Processes | where count() > 5",
        ["1:19 'count' is an aggregate, which is only allowed in 'summarize' and similar operators"],
    ),
    (
        "Processes | summarize count() by File having count_ > 5",
        ["1:39 expected '|' or the end of the query, got 'having'; write '| where …' after the summarize"],
    ),
    (
        'Processes | summarize c = count() by File | where Account == "x"',
        ["1:51 unknown column 'Account'; there is File, c"],
    ),
    (
        "Processes | extend c = count()",
        ["1:24 'count' is an aggregate, which is only allowed in 'summarize' and similar operators"],
    ),
    ("Processes; Network", ["1:12 not supported: more than one result in one query"]),
    (
        'Processes | where File == "a" -- a comment',
        ["1:36 expected '|' or the end of the query, got 'comment'; a comment begins with '//'"],
    ),
    ('Processes | where File == "a" # a comment', ["1:31 unexpected character '#'; a comment begins with '//'"]),
    (
        'Processes | where File == "a" /* comment */',
        ["1:32 expected an expression, got '*'; a comment begins with '//'"],
    ),
    (
        'Processes | where File <> "a" | where Pid => 5',
        ["1:43 expected '|' or the end of the query, got '=>'; write '>='"],
    ),
    (
        "Processes | project-away file, Acount | where Foo == 1",
        [
            "1:26 unknown column 'file'; did you mean 'File'?",
            "1:32 unknown column 'Acount'; did you mean 'Account'?",
            "1:47 unknown column 'Foo'; there is Timestamp, File, Account, Pid, Fields",
        ],
    ),
    (
        'Processes | where FileNme == "x" and Acount == "y" and foo(1) == 2 | wher 1 == 1 | take ',
        [
            "1:70 unknown operator 'wher'; did you mean 'where'?",
            "1:89 expected an expression, got the end of the query",
        ],
    ),
    (
        'Processes | extend x = Fil | where x == "a" | project x, y',
        [
            "1:24 unknown column 'Fil'; did you mean 'File'?",
            "1:58 unknown column 'y'; there is Timestamp, File, Account, Pid, Fields, x",
        ],
    ),
    (
        "Processes | sumarize count() | wher x | lookp y",
        [
            "1:13 unknown operator 'sumarize'; did you mean 'summarize'?",
            "1:32 unknown operator 'wher'; did you mean 'where'?",
            "1:41 unknown operator 'lookp'; did you mean 'lookup'?",
        ],
    ),
    ("Processes | where Fields.x == 1 and Fields->x == 1", ["1:44 expected an expression, got '>'"]),
    ("Processes | where Timestamp > datetime('2026-13-01')", ["1:31 invalid datetime: '2026-13-01'"]),
    ("Processes | where Timestamp > datetime(yesterday)", ["1:31 invalid datetime: 'yesterday'"]),
    ('Processes | where "bash" in File', ["1:29 expected '(', got 'File'"]),
    ("Processes | union", ["1:18 expected an expression, got the end of the query"]),
    ("Processes | render", ["1:19 expected a name, got the end of the query"]),
    ('Processes | parse File "a" b', ["1:24 expected 'with', got 'a'"]),
    ("Processes | make-series count() by File", ["1:33 expected 'on', got 'by'"]),
    (
        "Processes | where File",
        ["1:19 expected a bool, got a string; write a comparison such as x == 'y', and true without quotes"],
    ),
    ("Processes | where File + 1 == 2", ["1:19 '+' does not work on string and long"]),
    (
        "Processes | where sum(Pid) > 5",
        ["1:19 'sum' is an aggregate, which is only allowed in 'summarize' and similar operators"],
    ),
    ("Processes | project a = , b = 2", ["1:25 expected an expression, got ','"]),
    ("Processes | project a, , b", ["1:24 expected an expression, got ','"]),
    ('Processes | where File == "a" and', ["1:34 expected an expression, got the end of the query"]),
    ('Processes | where and File == "a"', ["1:23 expected '|' or the end of the query, got 'File'"]),
    ('| where File == "a"', ["1:1 expected a table's name before '|'"]),
    ('where File == "a"', ["1:1 expected a table's name before 'where'"]),
    ("Update Processes set x = 1", ["1:1 'Update' is SQL; a hunt begins with a table: Table | where … | project …"]),
    ("DROP TABLE x", ["1:1 'DROP' is SQL; a hunt begins with a table: Table | where … | project …"]),
    (".show tables", ["1:1 not supported: management commands; a hunt only reads"]),
    (
        "index=main sourcetype=x | stats count by host",
        ["1:6 expected '|', ';' or the end of the query, got '='; write '==' to compare"],
    ),
    (
        "Processes | parse-kv File as (b:string) with (greedy=true)",
        ["1:13 greedy in parse-kv needs pair_delimiter and kv_delimiter"],
    ),
    (
        "Processes | parse-kv File as (b:string) with (pair_delimiter=',')",
        ["1:13 expected both pair_delimiter and kv_delimiter in parse-kv, or neither"],
    ),
    (
        "Processes | parse-kv File as (b:string) with (pair_delim='x')",
        ["1:47 unknown setting of parse-kv 'pair_delim'; did you mean 'pair_delimiter'?"],
    ),
    (
        "Processes | parse-kv File as (b:string) with (regex='(x)')",
        ["1:53 expected a regex with two groups, of the key and of the value"],
    ),
    (
        "Processes | parse-kv File as (b:string) with (regex='(x)(y)', quote='x')",
        ["1:13 parse-kv with a regex takes no other settings"],
    ),
    (
        "Processes | parse-kv File as (b:string) with (quote='abc')",
        ["1:47 expected one or two characters as the setting 'quote' of parse-kv"],
    ),
    (
        "Processes | parse-kv File as (b:string) with (escape='ab')",
        ["1:47 expected one character as the setting 'escape' of parse-kv"],
    ),
    (
        "Processes | evaluate bag_unpack(Fields, columnConflict='x')",
        ["1:41 expected bag_unpack(column, OutputColumnPrefix, columnsConflict, ignoredProperties)"],
    ),
    (
        "Processes | evaluate basket(0.1, '~', '~', File)",
        ["1:44 expected a constant as a wildcard, such as '*' or int(-1)"],
    ),
]


def messages(text: str) -> list[str]:
    with pytest.raises(errors.InvalidQuery) as caught:
        compiled(text, SCHEMA)
    return [f"{problem.line}:{problem.column} {problem.message}" for problem in caught.value.problems]


@pytest.mark.parametrize(("text", "expected"), MISTAKES)
def test_message_of_a_mistake(text: str, expected: list[str]) -> None:
    assert messages(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Processes | where File == \"it's | take 5",
        "Processes | where File == 'a' && Account == 'b'",
        "Processes | where (((File == 'a' and (Pid = 3))) | take 5",
        "Processes | where Timestamp between (ago(1d), now()) | summarize count() by File",
        "let f = (x: long) { Processes | where Pidd == x }; f(5) | where File has 'x' | project Account",
        "Processes | extend x = Fil | where x == 1 | summarize y = count() by x | project x, y",
        "Processes | sumarize n = count() by File | where n > 5 | project n, File",
        "let t = Proceses | where x == 1; t | join (t) on x | summarize by x",
    ],
)
def test_one_mistake_is_one_problem(text: str) -> None:
    assert len(messages(text)) == 1


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (
            "Processes\n| where Fil == 'x'\n    and strlen(Acount) is 'y'\n| wher Pid > 5\n| extend z = , y = 3",
            ["3:24", "4:3", "5:14"],
        ),
        (
            "Processes\n| where Fil == 'x'\n    and lower(Acount) == 'y'\n| extend z = strlen(File, 2)\n| take 'x'",
            ["2:9", "3:9", "4:14", "5:8"],
        ),
    ],
)
def test_several_mistakes_are_reported_at_once(text: str, places: list[str]) -> None:
    assert [message.partition(" ")[0] for message in messages(text)] == places


@pytest.mark.parametrize("name", [n for n, row in functions.FUNCTIONS.items() if not row.doc and n.isidentifier()])
def test_hints_name_no_helper_of_the_compiler(name: str) -> None:
    (message,) = messages(f"print x = {name}x(1)")

    assert f"'{name}'" not in message


def test_unknown_columns_of_all_operators_are_reported_at_once() -> None:
    text = (
        "Processes | where A == 1 and B == 2 | extend x = C | sort by D asc | summarize n = sum(E), count() by F"
        " | where n > 1 and count_ > 1 and G == 1 | top 3 by H | project n | take 5 | where I > 1"
    )

    assert [message.split("'")[1] for message in messages(text)] == list("ABCDEFGHI")
