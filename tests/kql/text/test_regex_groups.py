"""Groups are counted as the engines count them."""

from __future__ import annotations

import pytest

from driftline.kql.text import regex_groups


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("abc", []),
        ("(a)(?:b)(c)", ["", ""]),
        (r"\((a)\)", [""]),
        ("[(](a)[^)(]", [""]),
        ("(?P<first>a)(?<second>b)", ["first", "second"]),
        ("((a)b)(?i:c)", ["", ""]),
        ("[]()](a)", [""]),
        ("[[:alpha:](](a)", [""]),
    ],
)
def test_groups_have_names_or_none(pattern: str, names: list[str]) -> None:
    assert regex_groups.groups(pattern) == names


@pytest.mark.parametrize(
    ("pattern", "place", "made"),
    [
        ("(a)(b)", 1, "(a)(?:b)"),
        ("(a)(b)", 2, "(?:a)(b)"),
        ("(a)(b)", 0, "(?:a)(?:b)"),
        ("(?P<x>a)[(](?<y>b)", 2, "(?:a)[(](b)"),
        (r"\((?i:a)(b)", 1, r"\((?i:a)(b)"),
    ],
)
def test_all_groups_but_one_go(pattern: str, place: int, made: str) -> None:
    assert regex_groups.only(pattern, place) == made
