"""Capture groups of regular expressions are counted as the engines count them."""

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
def test_names_of_capture_groups(pattern: str, names: list[str]) -> None:
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
def test_one_capture_group_is_left(pattern: str, place: int, made: str) -> None:
    assert regex_groups.only(pattern, place) == made
