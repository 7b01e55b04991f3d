"""From KQL text to tokens, each with its place in the text.

One regular expression knows the lexical grammar; its alternatives are tried in order, so
that longer forms come first. Words keep their text: KQL has hardly any reserved word, so
only the parser can tell ``count`` the operator from ``count`` the column.

https://learn.microsoft.com/kusto/query/scalar-data-types describes the literals.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from driftline.kql.text.problems import Problems, Span

__all__ = ["Kind", "Token", "tokenize", "unescaped"]


class Kind(enum.Enum):
    """What a token is."""

    WORD = "name"
    QUOTED = "quoted name"
    STRING = "string"
    LONG = "number"
    REAL = "real number"
    TIMESPAN = "timespan"
    DATETIME = "datetime"
    GUID = "guid"
    SYMBOL = "symbol"
    END = "end of the query"


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind, its text (a string's value, without quotes) and its place."""

    kind: Kind
    text: str
    span: Span


COMPOUND_WORDS = [
    "project-away",
    "project-keep",
    "project-rename",
    "project-reorder",
    "project-by-names",
    "mv-expand",
    "mv-apply",
    "parse-where",
    "parse-kv",
    "make-series",
    "make-graph",
    "graph-match",
    "graph-shortest-paths",
    "graph-to-table",
    "graph-mark-components",
    "top-nested",
    "top-hitters",
    "sample-distinct",
    "macro-expand",
    "assert-schema",
    "granny-asc",
    "granny-desc",
]
UNITS = "days?|d|hours?|hrs?|hr|h|minutes?|min|m|seconds?|sec|s|milliseconds?|millis|ms|microseconds?|micros|ticks?"
NEGATED = (
    "has_cs|hasprefix_cs|hasprefix|hassuffix_cs|hassuffix|has|contains_cs|contains|startswith_cs|startswith|"
    "endswith_cs|endswith|between|in~|in"
)

LEXEMES = re.compile(
    rf"""
      (?P<space>\s+|//[^\n]*)
    | (?P<directive>^[#]\w+[^\n]*)
    | (?P<block>```.*?```|~~~.*?~~~)
    | (?P<verbatim>[hH]?@(?:"(?:[^"]|"")*"|'(?:[^']|'')*'))
    | (?P<string>[hH]?(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))
    | (?P<datetime>\bdate(?:time)?\s*\((?P<moment>[^()]*)\))
    | (?P<time>\btime(?:span)?\s*\((?P<length>[^()]*)\))
    | (?P<guid>\bguid\s*\((?P<id>[^()]*)\))
    | (?P<compound>\b(?:{"|".join(COMPOUND_WORDS)})\b)
    | (?P<timespan>\d+(?:\.\d+)?(?:{UNITS})\b)
    | (?P<real>\d+(?:\.(?!\.)\d*)?[eE][+-]?\d+\b|\d+\.\d+|\d+\.(?![.\w]))
    | (?P<long>0[xX][0-9a-fA-F]+\b|\d+\b)
    | (?P<negated>!(?:{NEGATED})(?![\w~]))
    | (?P<word>in~|[$]?[A-Za-z_]\w*|\d+\w+)
    | (?P<foreign>&&|\#[^\n]*|!(?:has_any|has_all|matches|like)\b|`[^`\n]*`
        |[\u201c\u201d\u201e][^\u201c\u201d"\n]*[\u201c\u201d"]?|[\u2018\u2019\u201a][^\u2018\u2019'\n]*[\u2018\u2019']?
        |["'][^\n]*)
    | (?P<symbol>=>|=~|!~|==|!=|<>|<=|>=|\.\.|[-+*/%<>=|(){{}}\[\],;:.?@])
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
KINDS = {
    "verbatim": Kind.STRING,
    "block": Kind.STRING,
    "string": Kind.STRING,
    "datetime": Kind.DATETIME,
    "time": Kind.TIMESPAN,
    "guid": Kind.GUID,
    "compound": Kind.WORD,
    "timespan": Kind.TIMESPAN,
    "real": Kind.REAL,
    "long": Kind.LONG,
    "negated": Kind.SYMBOL,
    "word": Kind.WORD,
    "symbol": Kind.SYMBOL,
}
INNER = {"datetime": "moment", "time": "length", "guid": "id"}
QUOTES = "`\u201c\u201d\u201e\u2018\u2019\u201a"
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)


def tokenize(text: str, problems: Problems) -> list[Token]:
    """Split a query into tokens, the last of kind ``END``; what is no token goes to ``problems``."""
    tokens = []
    at = 0
    while at < len(text):
        match = LEXEMES.match(text, at)
        if match is None:
            problems.add(_complaint(text[at]), Span(at, 1))
            at += 1
            continue
        if match["directive"]:
            problems.add(
                f"not supported: '{match['directive'].split()[0]}'; a hunt reads only the tables it is given",
                Span(at, len(match["directive"])),
            )
        elif match["foreign"]:
            tokens += _foreign(match, problems)
        elif match["space"] is None:
            tokens.append(_token(match))
        at = match.end()
    tokens.append(Token(Kind.END, "", Span(len(text), 0)))
    return tokens


def unescaped(text: str) -> str:
    """Resolve the escapes of a regular string literal's inside."""
    return ESCAPE.sub(_resolved, text) if "\\" in text else text


def _complaint(character: str) -> str:
    return f"unexpected character {character!r}" + ("; write not(…)" if character == "!" else "")


# What other languages write is noted, and read as what was meant, so that one mistake is one problem.
def _foreign(match: re.Match[str], problems: Problems) -> list[Token]:
    text, span = match["foreign"], Span(match.start(), match.end() - match.start())
    if text[0] in "\"'":
        problems.add(f"this string has no closing {text[0]} on its line", Span(span.offset, 1))
        return [Token(Kind.STRING, text[1:], span)]
    if text[0] in QUOTES:
        problems.add(f"unexpected character {text[0]!r}; strings stand in straight quotes", Span(span.offset, 1))
        return [Token(Kind.STRING, text[1:-1], span)]
    if text[0] == "#":
        problems.add("unexpected character '#'; a comment begins with '//'", Span(span.offset, 1))
        return []
    if text == "&&":
        problems.add("unexpected '&&'; write 'and'", span)
        return [Token(Kind.WORD, "and", span)]
    problems.add(f"there is no '{text}'; write not(x {text[1:]} …)", span)
    return [Token(Kind.WORD, text[1:], span)]


def _token(match: re.Match[str]) -> Token:
    name = next(name for name in KINDS if match[name] is not None)
    span = Span(match.start(), match.end() - match.start())
    return Token(KINDS[name], _value(match, name), span)


def _value(match: re.Match[str], name: str) -> str:
    text = match[name]
    if name == "string":
        return unescaped(text[text.index(text[-1]) + 1 : -1])
    if name == "verbatim":
        quote = text[-1]
        return text[text.index(quote) + 1 : -1].replace(quote * 2, quote)
    if name == "block":
        return text[3:-3]
    return match[INNER[name]].strip() if name in INNER else text


def _resolved(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    if code:
        return chr(int(code, 16)) if int(code, 16) < 0x110000 else "\ufffd"
    return ESCAPES.get(match[4], match[4])
