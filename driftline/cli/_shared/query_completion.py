"""Completion of KQL: the words that may stand at the end of an unfinished query.

The text need not parse: the last words and signs decide. Tables stand at the begin and after ``join``, ``union`` and
the like; operators after a pipe; columns and functions everywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from driftline.kql import functions, operator_docs

__all__ = ["Candidate", "Vocabulary", "complete", "is_complete"]

_WORD = re.compile(r"[\w-]*$")
_NAME = re.compile(r"\w+")
_ASSIGNED = re.compile(r"(\w+)\s*=(?![=~])")
_TAKES_TABLE = re.compile(r"(?:\b(?:join|lookup|union|find|search|in|let\s+\w+)\b[^|;]*[=,(\s]|[(;])\s*$")
"""Text behind which a table may stand."""
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_LITERAL = re.compile(r"""//[^\n]*|```.*?```|@'[^']*'|@"[^"]*"|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*\"""", re.DOTALL)
"""A comment or a string literal (https://learn.microsoft.com/kusto/query/scalar-data-types/string)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A word that may follow."""

    text: str
    """Text to insert."""
    meaning: str
    """Kind of the word, or a short description."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that a query may use besides those of KQL."""

    tables: Mapping[str, Mapping[str, str]]
    """Kusto type by column, of each table and view."""


def complete(text: str, vocabulary: Vocabulary) -> tuple[Sequence[Candidate], int]:
    """Return the words that may stand at the end of ``text``, and the number of characters that they replace.

    The words are sorted as they should be listed; those that begin as the text does, with any case, come first, then
    those that contain it. Within a string or a comment there are none.
    """
    plain = _without_literals(text)
    if plain is None or _ends_in_comment(text, plain):
        return (), 0
    word = _last_word(plain)
    found = list(_candidates(plain[: len(plain) - len(word)], vocabulary))
    sought = word.casefold()
    begins = [each for each in found if each.text.casefold().startswith(sought)]
    contains = [each for each in found if sought in each.text.casefold() and each not in begins] if sought else []
    return (*begins, *contains), len(word)


def is_complete(text: str) -> bool:
    """Report whether a query can be run: no bracket and no string is open, and it does not end with a pipe."""
    plain = _without_literals(text)
    if plain is None:
        return False
    opened: list[str] = []
    for sign in plain:
        if sign in _BRACKETS.values():
            opened.append(sign)
        elif sign in _BRACKETS and opened and opened[-1] == _BRACKETS[sign]:
            opened.pop()
    return not opened and not plain.rstrip().endswith(("|", ",", "="))


# Literals and comments become blanks of the same length. None if a string is open at the end.
def _without_literals(text: str) -> str | None:
    plain = _LITERAL.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    return None if any(quote in plain for quote in ("'", '"', "```")) else plain


def _ends_in_comment(text: str, plain: str) -> bool:
    line, blank = text.rsplit("\n", 1)[-1], plain.rsplit("\n", 1)[-1]
    return "//" in line[len(blank.rstrip()) :]


# A hyphen belongs to the names of operators (mv-expand) and is a minus elsewhere.
def _last_word(plain: str) -> str:
    found = _WORD.search(plain)
    word = found[0] if found else ""
    return word if plain[: len(plain) - len(word)].rstrip().endswith("|") else word.rpartition("-")[2]


def _candidates(before: str, vocabulary: Vocabulary) -> Iterator[Candidate]:
    stripped = before.rstrip()
    if stripped.endswith("|"):
        yield from (Candidate(name, form) for name, (form, _) in sorted(operator_docs.FORMS.items()) if form)
        return
    takes_table = not stripped or bool(_TAKES_TABLE.search(before))
    if takes_table:
        yield from (Candidate(name, "table") for name in sorted(vocabulary.tables))
        yield from (Candidate(name, "let") for name in _assigned(before, "let"))
    if not stripped or stripped.endswith(";"):
        yield Candidate("let", "let name = …;")
        yield from (Candidate(name, form) for name, (form, _) in sorted(operator_docs.SOURCE_FORMS.items()) if form)
        return
    yield from _columns(before, vocabulary)
    yield from (Candidate(f"{name}(", "aggregate") for name in sorted(functions.AGGREGATES))
    yield from (Candidate(f"{name}(", "function") for name in sorted(functions.FUNCTIONS))


# Columns of the tables that the query names, in their order, and names that the query gave.
def _columns(before: str, vocabulary: Vocabulary) -> Iterator[Candidate]:
    named = [name for name in dict.fromkeys(_NAME.findall(before)) if name in vocabulary.tables]
    columns = {column: kind for name in reversed(named) for column, kind in vocabulary.tables[name].items()}
    yield from (Candidate(name, kind) for name, kind in columns.items())
    yield from (Candidate(name, "column") for name in _assigned(before, "") if name not in columns)


def _assigned(before: str, keyword: str) -> Iterable[str]:
    pattern = re.compile(rf"\b{keyword}\s+(\w+)\s*=") if keyword else _ASSIGNED
    return dict.fromkeys(pattern.findall(before))
