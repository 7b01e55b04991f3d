"""Hints for habits of SQL, SPL and other languages: the KQL that a user probably means.

The parser and the binder append a hint to a problem's message: ``unknown function 'len'; did you mean
'strlen'?``. A hint never changes how a query is read. The tables map a lower-case word of another language
to its KQL counterpart; ``tests/kql/test_errors.py`` has a query and the whole message for most of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from driftline.kql.text.problems import suggestion
from driftline.kql.text.tokens import Kind, Token

__all__ = ["FUNCTIONS", "JOINS", "OPERATORS", "STATEMENTS", "instead", "of_tokens", "of_types"]

STATEMENTS = frozenset(["select", "update", "delete", "insert", "drop", "create", "alter", "truncate"])
"""First words of SQL statements; a query that begins with one is refused as SQL."""
# From SQL (select, having, group), Splunk's SPL (stats, eval, rex, dedup, table) and data frames (groupby, head).
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
"""KQL operator by the operator of another language."""
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
"""KQL function by the function of another language."""
JOINS = {"left": "leftouter", "right": "rightouter", "full": "fullouter", "outer": "fullouter"}
"""KQL join kind by SQL's word."""
WORDS = {
    "=": "write '==' to compare",
    "=>": "write '>='",
    "[": "write a list in round brackets",
    "having": "write '| where …' after the summarize",
    "as": "write the new name first: new = old",
    "is": "write isnull(…), or isempty(…) for strings",
    "not": "write '!' before the operator, as in !in or !contains",
    "matches": "write 'matches regex'",
    "ascending": "write 'asc'",
    "descending": "write 'desc'",
    **dict.fromkeys(["day", "days"], "write 1d"),
    **dict.fromkeys(["hour", "hours"], "write 1h"),
    **dict.fromkeys(["minute", "minutes"], "write 1m"),
}
"""Hint by an unexpected word or symbol."""
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
"""Keywords within operators and expressions; KQL keywords are lower-case only, so ``AND`` is a plain name."""
TYPES: Mapping[frozenset[str], str] = {
    frozenset(["datetime", "string"]): "write datetime(2026-01-31) or todatetime(…)",
    frozenset(["datetime", "timespan"]): "write ago(1d) for a day ago",
    frozenset(["timespan", "string"]): "write 1d or 5m, without quotes",
    frozenset(["long", "string"]): "write a number without quotes, or convert it with tostring(…)",
    frozenset(["int", "string"]): "write a number without quotes, or convert it with tostring(…)",
    frozenset(["real", "string"]): "write a number without quotes, or convert it with tostring(…)",
    frozenset(["bool", "string"]): "write a comparison such as x == 'y', and true without quotes",
    frozenset(["dynamic", "string"]): "todynamic(…) parses JSON, split(…) makes an array",
}
"""Hint by two types, in any order, that an operator or a parameter does not accept together."""


def of_tokens(before: Sequence[Token], token: Token, operators: Iterable[str] = ()) -> str:
    """Return ``; write …`` for an unexpected token, empty if no habit explains it.

    ``before`` are the tokens read so far, ``operators`` the names that may follow a pipe. An operator's name
    in the wrong place (``T where x``) most likely misses its ``|``.
    """
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
    """Return ``; write …`` for two types that do not fit, in any order; empty if there is no hint for them."""
    hint = TYPES.get(frozenset(kinds))
    return f"; {hint}" if hint else ""


def instead(name: str, habits: Mapping[str, str], known: Iterable[str]) -> str:
    """Return ``; did you mean …?`` for an unknown name, empty without a candidate.

    ``habits`` is one of this module's tables and comes first; else the closest of the ``known`` names counts.
    """
    found = habits.get(name.lower())
    return f"; did you mean '{found}'?" if found else suggestion(name, known)


# ``-- comment`` of SQL or ``/* comment */`` of C. The signs are plain operators for the tokenizer, and the first words
# of the comment may parse as an expression, so the signs are looked for among the last 30 tokens.


def _is_comment(before: Sequence[Token], token: Token) -> bool:
    texts = [each.text for each in before[-30:] if each.kind is Kind.SYMBOL]
    return texts[-2:] == ["-", "-"] or (texts[-1:] == ["/"] and token.text == "*")
