"""Completion of unfinished queries."""

from __future__ import annotations

import pytest

from driftline.cli._shared.query_completion import Vocabulary, complete, is_complete

VOCABULARY = Vocabulary(
    {"CloudProcessEvents": {"FileName": "string", "ProcessId": "long"}, "AlertInfo": {"AlertId": "string"}}
)


def words(text: str) -> list[str]:
    return [candidate.text for candidate in complete(text, VOCABULARY)[0]]


@pytest.mark.parametrize(
    ("text", "expected", "missing"),
    [
        ("", ["CloudProcessEvents", "let", "print"], ["where", "FileName"]),
        ("Cl", ["CloudProcessEvents"], ["AlertInfo"]),
        ("process", ["CloudProcessEvents"], ["AlertInfo"]),
        ("let x = 1; ", ["CloudProcessEvents", "x"], ["where"]),
        ("CloudProcessEvents | ", ["where", "mv-expand"], ["FileName", "AlertInfo", "fork"]),
        ("CloudProcessEvents | mv-e", ["mv-expand"], ["where"]),
        ("CloudProcessEvents | where ", ["FileName", "ProcessId", "strlen("], ["AlertId"]),
        ("CloudProcessEvents | where file", ["FileName"], ["ProcessId"]),
        ("CloudProcessEvents | extend Size = strlen(FileName) | where S", ["Size"], []),
        ("CloudProcessEvents | summarize cou", ["count("], []),
        ("CloudProcessEvents | join kind=inner (", ["AlertInfo"], []),
        ("CloudProcessEvents | where FileName in (", ["AlertInfo", "FileName"], []),
        ("CloudProcessEvents | join AlertInfo on ", ["AlertId", "FileName"], []),
        ("CloudProcessEvents | where ProcessId-Pro", ["ProcessId"], []),
    ],
)
def test_the_words_before_decide_what_may_follow(text: str, expected: list[str], missing: list[str]) -> None:
    found = words(text)

    assert [word for word in expected if word not in found] == []
    assert [word for word in missing if word in found] == []


def test_words_that_begin_as_the_text_come_first_and_replace_it() -> None:
    found, length = complete("CloudProcessEvents | where id", VOCABULARY)

    assert length == 2
    assert "ProcessId" in [candidate.text for candidate in found]
    assert words("CloudProcessEvents | where str")[0].startswith("str")


@pytest.mark.parametrize("text", ["print 'Cl", 'print "a\\" Cl', "T // Cl", "print @'Cl", "print ```Cl"])
def test_a_string_and_a_comment_have_no_completions(text: str) -> None:
    assert words(text) == []


@pytest.mark.parametrize("text", ["print 'it'", "T // done\n", 'print a = "//" | ', "print 1 // '\n | "])
def test_a_closed_string_or_comment_has_completions_behind_it(text: str) -> None:
    assert words(text)


@pytest.mark.parametrize(
    "text", ["T", "T | count", "print ')'", "T | where a in (1, 2)", "let a = 1; print a", "T // it's"]
)
def test_a_whole_query_is_complete(text: str) -> None:
    assert is_complete(text)


@pytest.mark.parametrize("text", ["T |", "T | where a in (", "print 'x", "datatable(a: long) [1,", "let a ="])
def test_an_unfinished_query_is_not(text: str) -> None:
    assert not is_complete(text)
