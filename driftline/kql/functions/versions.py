"""Versions and command lines, split into their parts.

A version is a number of four parts of eight digits. Kusto's result is a decimal; here it is a string of its 32
digits, which sorts in the same order and has the type ``decimal``, which no other function returns.
"""

from __future__ import annotations

from driftline.kql.functions.row import Function, rows

__all__ = ["VERSIONS"]

VERSION = "^[0-9]{1,8}(?:[.][0-9]{1,8}){0,3}$"
# 2n backslashes before a quote are n backslashes, and the quote delimits; 2n + 1 are n backslashes and a literal quote.
ESCAPED = r'\\(?:\\\\)*"|\\+'
# Two quotes at the end of a quoted piece are a literal quote.
WORD = rf'(?:[^\s"\\]|{ESCAPED}|"(?:[^"\\]|{ESCAPED})*(?:""|"?))+'
LONGEST_RUN = 16
QUOTE, BACKSLASH = "\x01", "\x02"  # placeholders, so that no result of one replacement is replaced again


def versions() -> tuple[str, str]:
    """Return the templates of the 32 digits of a version; null if it is invalid."""
    ducks = ", ".join(f"lpad(split_part(_0, '.', {n}), 8, '0')" for n in (1, 2, 3, 4))
    clicks = ", ".join(f"leftPad(splitByChar('.', _0)[{n}], 8, '0')" for n in (1, 2, 3, 4))
    return (
        f"CASE WHEN regexp_matches(_0, '{VERSION}') THEN concat({ducks}) END",
        f"if(match(_0, '{VERSION}'), concat({clicks}), NULL)",
    )


def unescaped(word: str, *, doubled: bool) -> str:
    """Return the expression that removes quotes and escapes from an argument of a command line.

    ``doubled`` doubles backslashes in string literals, for an engine in which they escape.
    """

    def literal(text: str) -> str:
        """Return a string literal of the dialect."""
        return f"'{text.replace(chr(92), chr(92) * 2) if doubled else text}'"

    made = word
    for run in range(LONGEST_RUN, 0, -1):
        plain = BACKSLASH * (run // 2) + (QUOTE if run % 2 else "")
        made = f"replace({made}, {literal(chr(92) * run + chr(34))}, {literal(plain)})"
    group = literal(rf"\1{QUOTE}")
    pair = literal('"([^"]*)""')
    made = f"replaceRegexpAll({made}, {pair}, {group})" if doubled else f"regexp_replace({made}, {pair}, {group}, 'g')"
    for sought, plain in (('"', ""), (QUOTE, '"'), (BACKSLASH, chr(92))):
        made = f"replace({made}, {literal(sought)}, {literal(plain)})"
    return made


def words() -> tuple[str, str]:
    """Return the templates that split a command line by the rules of Windows."""
    click = WORD.replace("\\", "\\\\")
    return (
        f"to_json(list_transform(regexp_extract_all(_0, '{WORD}'), lambda w: {unescaped('w', doubled=False)}))",
        f"toJSONString(arrayMap(w -> {unescaped('w', doubled=True)}, extractAll(_0, '{click}')))",
    )


VERSIONS = rows(
    [
        Function(
            "parse_version",
            "string",
            "decimal",
            sql=versions(),
            doc="Convert a version of one to four numbers to a value that sorts by them; null if it is invalid.",
        ),
        Function("windows_words", "string", "dynamic", sql=words()),
        Function(
            "parse_command_line",
            "string string",
            "dynamic",
            doc='Split a command line into arguments by the rules of Windows (kind "windows").',
        ),
    ]
)
