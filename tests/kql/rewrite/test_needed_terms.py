"""Terms that a row must contain, derived from the conditions of a query."""

from __future__ import annotations

import pytest

from driftline import kql
from driftline.kql.rewrite import ANY_ROW, All, Either, Need, Term

SCHEMA = {"T": {"s": "string", "u": "string", "d": "dynamic", "n": "long"}}


def needed(text: str) -> Need:
    return kql.compiled(text, SCHEMA).reach["T"].need


def s(term: str) -> Term:
    return Term("s", term)


def d(term: str) -> Term:
    return Term("d", term)


@pytest.mark.parametrize(
    ("condition", "need"),
    [
        ('s has "Curl"', s("curl")),
        ('s has_cs "Curl"', s("curl")),
        ('s has "/etc/shadow"', All((s("etc"), s("shadow")))),
        ('s has "etc/shadow"', All((s("etc"), s("shadow")))),
        ('s hasprefix "etc/sha"', s("etc")),
        ('s hasprefix "sha"', ANY_ROW),
        ('s hassuffix "tc/shadow"', s("shadow")),
        ('s contains "tc/shadow/x"', s("shadow")),
        ('s startswith "/usr/bin/cu"', All((s("usr"), s("bin")))),
        ('s endswith "url.exe"', s("exe")),
        ('s == "sh -c"', All((s("sh"), s("c")))),
        ('s =~ "NC"', s("nc")),
        ('tolower(s) has "nc"', s("nc")),
        ('s in ("nc", "ncat")', Either((s("nc"), s("ncat")))),
        ('s in~ ("NC", "ncat")', Either((s("nc"), s("ncat")))),
        ('s has_any ("nc", "ncat")', Either((s("nc"), s("ncat")))),
        ('s has_all ("nc", "x")', All((s("nc"), s("x")))),
        ('s has "nc" or u has "x"', Either((s("nc"), Term("u", "x")))),
        ('s has "nc" or n > 1', ANY_ROW),
        ('s has "nc" and n > 1', s("nc")),
        ('s !has "nc"', ANY_ROW),
        ('not(s has "nc")', ANY_ROW),
        ('s has "é1"', ANY_ROW),
        ('s has ""', ANY_ROW),
        ('s has u', ANY_ROW),
        ('s matches regex "nc"', ANY_ROW),
        ('substring(s, 1) has "nc"', ANY_ROW),
        ('d has "exec"', d("exec")),
        ('d.verb == "exec"', d("exec")),
        ('tostring(d.user["name"]) has "bob"', d("bob")),
        ('d.list[0] has "bob"', d("bob")),
        ('d.number has "15"', ANY_ROW),
        ('d.number has "1e5"', ANY_ROW),
    ],
)  # fmt: skip
def test_need_of_a_condition(condition: str, need: Need) -> None:
    assert needed(f"T | where {condition}") == need


def test_need_through_let_extend_and_union() -> None:
    assert needed('let v = T | extend l = tolower(s); v | where l has "nc" | count') == s("nc")
    assert needed('union (T | where s has "a"), (T | where u has "b") | count') == Either((Term("u", "b"), s("a")))
    assert needed('union (T | where s has "a"), T | count') == ANY_ROW


def test_search_needs_the_word_in_any_column() -> None:
    assert needed('search in (T) "nc"') == Either((s("nc"), Term("u", "nc"), d("nc")))
