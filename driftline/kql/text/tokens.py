"""Tokenizer: KQL text to tokens with their positions.

``T | take 5`` becomes ``T`` (name), ``|`` (symbol), ``take`` (name), ``5`` (number) and the end of the query.

One regular expression, ``LEXEMES``, holds the lexical grammar. Python tries its alternatives in order, so
longer forms come first: ``1d`` is a timespan, not the number 1 and a name. Keywords are plain names here, because
KQL reserves hardly any word: only the parser can tell the operator ``count`` from a column ``count``.

Source of the literals: https://learn.microsoft.com/kusto/query/scalar-data-types/.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from driftline.kql.text.problems import Problems, Span

__all__ = ["Kind", "Token", "tokenize", "unescaped"]


class Kind(enum.Enum):
    """Kind of a token; the value is its name in messages."""

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
    """One token of a query."""

    kind: Kind
    text: str
    """Text of the token; for a string its value without quotes and escapes, for ``datetime(x)`` the inner ``x``."""
    span: Span


# Names with a hyphen. Anywhere else a hyphen is a minus: ``a-b`` is a subtraction.
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
# Longer spellings first, because Python takes the first alternative that matches.
UNITS = "days?|d|hours?|hrs?|hr|h|minutes?|min|m|seconds?|sec|s|milliseconds?|millis|ms|microseconds?|micros|ticks?"
NEGATED = (
    "has_cs|hasprefix_cs|hasprefix|hassuffix_cs|hassuffix|has|contains_cs|contains|startswith_cs|startswith|"
    "endswith_cs|endswith|between|in~|in"
)

# Characters without width, as copied from web pages and editors: zero-width spaces and joiners, marks of direction,
# the byte-order mark. Python's ``\\s`` does not hold them.
INVISIBLE = "\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff"
# ``directive`` are lines such as ``#connect cluster(…)`` of Kusto's clients. ``foreign`` is syntax of other languages,
# ``&&`` or an unclosed string, read as probably meant. ``1..5`` is a range, so a real number has no second dot.
LEXEMES = re.compile(
    rf"""
      (?P<space>[\s{INVISIBLE}]+|//[^\n]*)
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
INNER = {"datetime": "moment", "time": "length", "guid": "id"}  # group of the text in brackets
QUOTES = "`\u201c\u201d\u201e\u2018\u2019\u201a"
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)


def tokenize(text: str, problems: Problems) -> list[Token]:
    """Return the tokens of a query; the last one is of kind ``END``. Comments and white space are left out.

    Characters that begin no token are added to ``problems`` and skipped, so that the parser still runs.
    """
    tokens = []
    at = 0
    while at < len(text):
        match = LEXEMES.match(text, at)
        if match is None:
            problems.add(_unexpected(text[at]), Span(at, 1))
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
    r"""Return the value of a string literal's content: ``\n`` is a line feed, ``\x41`` and ``\u0041`` are ``A``.

    A backslash before any other character is dropped. Verbatim strings (``@"…"``) have no escapes.
    """
    return ESCAPE.sub(_resolved, text) if "\\" in text else text


def _unexpected(character: str) -> str:
    return f"unexpected character {character!r}" + ("; write not(…)" if character == "!" else "")


# A foreign spelling becomes a problem and the token that the user most likely means: the parser reads on, and one
# mistake is one problem.
def _foreign(match: re.Match[str], problems: Problems) -> list[Token]:
    text, span = match["foreign"], Span(match.start(), match.end() - match.start())
    if text[0] in "\"'":
        problems.add(f"this string has no closing {text[0]} on its line", Span(span.offset, 1))
        return [Token(Kind.STRING, text[1:], span)]
    if text[0] in QUOTES:
        problems.add(f"unexpected character {text[0]!r}; write strings in straight quotes", Span(span.offset, 1))
        return [Token(Kind.STRING, text[1:-1], span)]
    if text[0] == "#":
        problems.add("unexpected character '#'; a comment begins with '//'", Span(span.offset, 1))
        return []
    if text == "&&":
        problems.add("unexpected '&&'; write 'and'", span)
        return [Token(Kind.WORD, "and", span)]
    problems.add(f"unknown operator '{text}'; write not(x {text[1:]} …)", span)
    return [Token(Kind.WORD, text[1:], span)]


# Exactly one of the groups named in ``KINDS`` takes part in a match.
def _token(match: re.Match[str]) -> Token:
    name = next(name for name in KINDS if match[name] is not None)
    span = Span(match.start(), match.end() - match.start())
    return Token(KINDS[name], _value(match, name), span)


# The opening quote is the same as the last character; before it may stand ``h`` or ``H`` (a hidden string) and ``@``.
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


# Code points end at U+10FFFF; beyond it U+FFFD, the replacement character.
def _resolved(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]

    if code:
        return chr(int(code, 16)) if int(code, 16) < 0x110000 else "\ufffd"
    return ESCAPES.get(match[4], match[4])
