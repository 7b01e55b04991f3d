"""Saved hunts in other hunts: what comes before them, and whose fault an error is."""

from __future__ import annotations

import pytest

from driftline import kql
from driftline.errors import InvalidInput, InvalidQuery
from driftline.hunts.functions import Saved, check, composed

SCHEMA = {"T": {"a": "string"}}
SAVED = {
    "Recent": Saved("Recent", "T | where a != ''  // now;"),
    "Named": Saved("Named", "let x = 'a';\nRecent | where a == n;", "n: string = 'b'"),
    "Broken": Saved("Broken", "T\n| where nothing == 1"),
    "Odd": Saved("Odd", "Even"),
    "Even": Saved("Even", "Odd"),
}


@pytest.mark.parametrize("text", ["Recent", "Named('x') | count", "union Recent, Named", "Recent | join Named on a"])
def test_a_hunt_may_name_saved_ones(text: str) -> None:
    assert kql.compiled(composed(text, SAVED).text, SCHEMA).tables == ("T",)


def test_what_is_not_named_is_left_out() -> None:
    assert composed("T | count", SAVED).text == "T | count"


def test_the_hunts_own_names_come_first() -> None:
    assert composed("let Recent = T | take 1; Recent", SAVED).text.count("Recent") == 2


@pytest.mark.parametrize(("text", "place"), [("Recent\n| wher 1", ("", 2, 3, 9)), ("Broken", ("Broken", 2, 9, 10))])
def test_an_error_is_told_where_it_is(text: str, place: tuple[str, int, int, int]) -> None:
    whole = composed(text, SAVED)
    with pytest.raises(InvalidQuery) as caught:
        kql.compiled(whole.text, SCHEMA)

    (problem,) = whole.placed(caught.value).problems
    assert isinstance(problem, kql.QueryProblem)
    assert (problem.source, problem.line, problem.column, problem.offset) == place


def test_hunts_that_name_each_other_are_refused() -> None:
    with pytest.raises(InvalidQuery, match="name each other"):
        composed("Odd", SAVED)


GOOD = [
    Saved("New", "CloudProcessEvents | take 1"),
    Saved("New", "CloudProcessEvents | where FileName == f | take n", "f: string, n: long = 5"),
    Saved("New", "CloudProcessEvents | evaluate pivot(FileName)"),
]


@pytest.mark.parametrize("new", GOOD)
def test_what_can_be_run_may_be_saved(new: Saved) -> None:
    check(new, {})


BAD = [
    (Saved("FileName", "print 1"), "is a table, column or function"),
    (Saved("strlen", "print 1"), "is a table, column or function"),
    (Saved("New", "New | take 1"), "names itself"),
    (Saved("New", "print 1 }; let Other = () { print 2"), "1:9"),
    (Saved("New", "CloudProcessEvents | wher 1"), "1:22"),
    (Saved("New", "print 1", "n: nothing"), "nothing"),
]


@pytest.mark.parametrize(("new", "message"), BAD)
def test_what_cannot_is_refused(new: Saved, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        check(new, {})
