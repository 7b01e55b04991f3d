"""What hands used to other languages write, and what to write in KQL instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from driftline.kql.text.problems import suggestion
from driftline.kql.text.tokens import Kind, Token

__all__ = ["FUNCTIONS", "JOINS", "OPERATORS", "STATEMENTS", "instead", "of_tokens", "of_types"]

STATEMENTS = frozenset(["select", "update", "delete", "insert", "drop", "create", "alter", "truncate"])
"""With which SQL begins a query."""
OPERATORS = {
    "group": "summarize … by",
    "groupby": "summarize … by",
    "stats": "summarize … by",
    "aggregate": "summarize … by",
    "select": "project",
    "fields": "project",
    "table": "project",
    "eval": "extend",
    "let": "extend",
    "rename": "project-rename",
    "dedup": "distinct",
    "uniq": "distinct",
    "head": "take",
    "first": "take",
    "having": "where",
    "and": "where",
    "or": "where … or …",
    "inner": "join kind=inner",
    "left": "join kind=leftouter",
    "right": "join kind=rightouter",
    "full": "join kind=fullouter",
    "rex": "parse, or extend x = extract(…)",
    "timechart": "render timechart",
}
FUNCTIONS = {
    "lower": "tolower",
    "lcase": "tolower",
    "upper": "toupper",
    "ucase": "toupper",
    "len": "strlen",
    "length": "strlen",
    "concat": "strcat",
    "substr": "substring",
    "mid": "substring",
    "instr": "indexof",
    "charindex": "indexof",
    "if": "iff",
    "ifnull": "coalesce",
    "nvl": "coalesce",
    "getdate": "now",
    "current_timestamp": "now",
    "date_trunc": "bin",
    "regexp_extract": "extract",
    "regexp_replace": "replace_regex",
    "cast": "tolong, tostring or todatetime",
    "convert": "tolong, tostring or todatetime",
    "values": "make_set",
    "dc": "dcount",
    "count_distinct": "dcount",
    "array_agg": "make_list",
    "group_concat": "strcat_array(make_list(…), ',')",
    "median": "percentile(x, 50)",
    "mean": "avg",
}
JOINS = {"left": "leftouter", "right": "rightouter", "full": "fullouter", "outer": "fullouter"}
WORDS = {
    "=": "'==' compares",
    "=>": "write '>='",
    "[": "a list stands in round brackets",
    "having": "put '| where' behind the summarize",
    "as": "a new name stands before: new = old",
    "is": "write isnull(…), or isempty(…) for strings",
    "not": "a '!' goes before the operator, as in !in or !contains",
    "matches": "write 'matches regex'",
    "ascending": "write 'asc'",
    "descending": "write 'desc'",
    **dict.fromkeys(["day", "days"], "write 1d"),
    **dict.fromkeys(["hour", "hours"], "write 1h"),
    **dict.fromkeys(["minute", "minutes"], "write 1m"),
}
KEYWORDS = frozenset(
    [
        "and",
        "or",
        "not",
        "in",
        "by",
        "on",
        "asc",
        "desc",
        "with",
        "from",
        "to",
        "step",
        "between",
        "has",
        "contains",
        "startswith",
        "endswith",
        "matches",
        "regex",
        "like",
    ]
)
TYPES: Mapping[frozenset[str], str] = {
    frozenset(["datetime", "string"]): "write datetime(2026-01-31) or todatetime(…)",
    frozenset(["datetime", "timespan"]): "write ago(1d) for a day ago",
    frozenset(["timespan", "string"]): "write 1d or 5m, without quotes",
    frozenset(["long", "string"]): "a number has no quotes; tostring(…) makes a string",
    frozenset(["int", "string"]): "a number has no quotes; tostring(…) makes a string",
    frozenset(["real", "string"]): "a number has no quotes; tostring(…) makes a string",
    frozenset(["bool", "string"]): "a condition compares, as in x == 'y'; true has no quotes",
    frozenset(["dynamic", "string"]): "todynamic(…) reads JSON, split(…) makes a list",
}


def of_tokens(before: Sequence[Token], token: Token, operators: Iterable[str] = ()) -> str:
    """Give ``; write …`` for a token nobody expected after those before it, if it is a known habit."""
    word = token.text.lower()
    if token.kind is Kind.WORD and word in KEYWORDS and token.text != word:
        return f"; write '{word}'"
    if token.kind in {Kind.WORD, Kind.SYMBOL} and word in WORDS:
        return f"; {WORDS[word]}"
    if before and before[-1].text.lower() == "not":
        return "; write not(…)"
    if token.kind is Kind.WORD and word in operators:
        return f"; put '|' before '{word}'"
    return "; a comment begins with '//'" if _is_comment(before, token) else ""


def of_types(*kinds: str) -> str:
    """Give ``; write …`` for two types that do not go together."""
    hint = TYPES.get(frozenset(kinds))
    return f"; {hint}" if hint else ""


def instead(name: str, habits: Mapping[str, str], known: Iterable[str]) -> str:
    """Give ``; did you mean …?`` by habit, or by a known name that is close."""
    found = habits.get(name.lower())
    return f"; did you mean '{found}'?" if found else suggestion(name, known)


# ``-- like this`` or ``/* like this */``.
def _is_comment(before: Sequence[Token], token: Token) -> bool:
    texts = [each.text for each in before[-30:] if each.kind is Kind.SYMBOL]
    return texts[-2:] == ["-", "-"] or (texts[-1:] == ["/"] and token.text == "*")
