"""Saved hunts in other hunts: composition, positions of errors, and validation before saving."""

from __future__ import annotations

import pytest

from driftline import kql
from driftline.errors import InvalidInput, InvalidQuery, QueryProblem
from driftline.hunts.functions import SavedHunt, check, compose

SCHEMA = {"T": {"a": "string"}}
SAVED = {
    "Recent": SavedHunt("Recent", "T | where a != ''  // now;"),
    "Named": SavedHunt("Named", "let x = 'a';\nRecent | where a == n;", "n: string = 'b'"),
    "Broken": SavedHunt("Broken", "T\n| where nothing == 1"),
    "Odd": SavedHunt("Odd", "Even"),
    "Even": SavedHunt("Even", "Odd"),
}


@pytest.mark.parametrize("text", ["Recent", "Named('x') | count", "union Recent, Named", "Recent | join Named on a"])
def test_a_hunt_may_refer_to_saved_hunts(text: str) -> None:
    assert kql.compiled(compose(text, SAVED).text, SCHEMA).tables == ("T",)


def test_saved_hunts_without_references_are_left_out() -> None:
    assert compose("T | count", SAVED).text == "T | count"


def test_names_defined_in_the_hunt_hide_saved_hunts() -> None:
    assert compose("let Recent = T | take 1; Recent", SAVED).text.count("Recent") == 2


@pytest.mark.parametrize(("text", "place"), [("Recent\n| wher 1", ("", 2, 3, 9)), ("Broken", ("Broken", 2, 9, 10))])
def test_an_error_has_its_position_in_the_saved_hunt(text: str, place: tuple[str, int, int, int]) -> None:
    whole = compose(text, SAVED)
    with pytest.raises(InvalidQuery) as caught:
        kql.compiled(whole.text, SCHEMA)

    (problem,) = whole.with_source_positions(caught.value).problems
    assert isinstance(problem, QueryProblem)
    assert (problem.source, problem.line, problem.column, problem.offset) == place


def test_a_cycle_of_saved_hunts_is_refused() -> None:
    with pytest.raises(InvalidQuery, match="refer to each other"):
        compose("Odd", SAVED)


def test_a_cycle_that_other_hunts_reach_is_named_alone() -> None:
    saved = {**SAVED, "Start": SavedHunt("Start", "Odd")}

    with pytest.raises(InvalidQuery, match=r"^the saved hunts Odd and Even refer to each other$"):
        compose("Start", saved)


def chain(length: int, text: str) -> dict[str, SavedHunt]:
    """Return hunts, each of which has the name of the next one in place of ``NEXT``."""
    names = [f"H{number}" for number in range(length)]
    texts = [text.replace("NEXT", name) for name in [*names[1:], "T"]]
    return {name: SavedHunt(name, text) for name, text in zip(names, texts, strict=True)}


@pytest.mark.parametrize("text", ["NEXT | union NEXT", "NEXT"])
def test_each_hunt_of_a_long_chain_is_put_once_after_those_it_needs(text: str) -> None:
    whole = compose("H0", chain(2_000, text))

    assert [name for _, name in whole.starts] == [*(f"H{number}" for number in reversed(range(2_000))), ""]


def test_hunts_that_refer_to_pairs_of_others_are_read_once() -> None:
    levels = [(f"A{n}", f"B{n}") for n in range(60)]
    saved = {
        name: SavedHunt(name, f"{below[0]} | union {below[1]}")
        for pair, below in zip(levels, [*levels[1:], ("T", "T")], strict=True)
        for name in pair
    }

    assert len(compose("A0", saved).starts) == 2 * 60


def test_hunts_that_are_longer_together_than_a_query_are_refused() -> None:
    with pytest.raises(InvalidQuery, match="at most 500,000 characters with its saved hunts"):
        compose("H0", chain(10, f"NEXT // {'x' * 60_000}"))


GOOD = [
    SavedHunt("New", "CloudProcessEvents | take 1"),
    SavedHunt("New", "CloudProcessEvents | where FileName == f | take n", "f: string, n: long = 5"),
    SavedHunt("New", "CloudProcessEvents | evaluate pivot(FileName)"),
]


@pytest.mark.parametrize("new", GOOD)
def test_a_valid_hunt_may_be_saved(new: SavedHunt) -> None:
    check(new, {})


BAD = [
    (SavedHunt("FileName", "print 1"), "is the name of a table, column or function"),
    (SavedHunt("strlen", "print 1"), "is the name of a table, column or function"),
    (SavedHunt("New", "New | take 1"), "refers to itself"),
    (SavedHunt("New", "print 1 }; let Other = () { print 2"), "1:9"),
    (SavedHunt("New", "CloudProcessEvents | wher 1"), "1:22"),
    (SavedHunt("New", "print 1", "n: nothing"), "nothing"),
]


@pytest.mark.parametrize(("new", "message"), BAD)
def test_an_invalid_hunt_is_refused(new: SavedHunt, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        check(new, {})
