"""Hunts are translated in processes that take many hunts, and are killed with the hunt that they translate."""

from __future__ import annotations

import contextlib
import datetime
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from driftline import errors
from driftline.events import TABLES
from driftline.hunts import functions
from driftline.hunts.functions import SavedHunt
from driftline.store.query import translation
from driftline.store.query.limits import Limits, Stop
from driftline.store.query.translation import CompiledHunt, Task
from driftline.store.query.translators import Translators

NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
SLOW = "print " + "1;" * 240_000  # seconds of processor time
PIVOT = "CloudProcessEvents | where FileName == 'nc' | evaluate pivot(FileName, count(), AccountName)"


def task(text: str) -> Task:
    return Task(text, tuple(TABLES), {}, {}, NOW)


def rows(_: CompiledHunt) -> translation.Rows:
    return [("nc",), ("curl",)]


@pytest.fixture
def translators() -> Iterator[Translators]:
    with contextlib.closing(Translators()) as made:
        yield made


def translated(translators: Translators, text: str, seconds: float = 60.0, stop: Stop | None = None) -> CompiledHunt:
    return translators.translate(task(text), rows, limits=Limits(seconds=seconds), stop=stop or Stop())


@pytest.mark.parametrize(
    "text",
    [
        "CloudProcessEvents | where Timestamp > ago(1d) and FileName in ('nc', 'ncat') | project FileName",
        "print x = strrep('a', 1000)",
        PIVOT,
    ],
)
def test_a_process_translates_as_this_process_does(text: str, translators: Translators) -> None:
    assert translated(translators, text) == translation.translate(task(text), rows)


def test_problems_keep_their_positions(translators: Translators) -> None:
    text = "CloudProcessEvents\n| where a == 1 and b == 2"

    with pytest.raises(errors.InvalidQuery) as here:
        translation.translate(task(text), rows)
    with pytest.raises(errors.InvalidQuery) as there:
        translated(translators, text)

    assert there.value.problems == here.value.problems


def test_a_failed_lookup_ends_the_hunt_and_the_next_hunt_works(translators: Translators) -> None:
    def fail(_: CompiledHunt) -> translation.Rows:
        raise errors.StoreError("no rows")

    with pytest.raises(errors.StoreError, match="no rows"):
        translators.translate(task(PIVOT), fail, limits=Limits(), stop=Stop())

    assert translated(translators, "print 1").tables == ()


def test_translation_ends_with_the_time_of_its_hunt(translators: Translators) -> None:
    with pytest.raises(errors.StoreError, match="longer than"):
        translated(translators, SLOW, seconds=0.1)

    assert translated(translators, "print 1").tables == ()


def test_translation_ends_when_its_hunt_is_stopped(translators: Translators) -> None:
    stop = Stop()
    timer = threading.Timer(0.2, stop.stop, ["the client disconnected"])
    timer.start()

    with pytest.raises(errors.StoreError, match="the client disconnected"):
        translated(translators, SLOW, stop=stop)
    timer.join()


SAVED = {
    "Recent": SavedHunt("Recent", "CloudProcessEvents | take n", "n: long = 5"),
    "Odd": SavedHunt("Odd", "Even"),
    "Even": SavedHunt("Even", "Odd"),
}


@pytest.mark.parametrize("text", ["Recent(3) | count", "CloudProcessEvents | count"])
def test_a_process_composes_as_this_process_does(text: str, translators: Translators) -> None:
    found = translators.compose(text, SAVED, limits=Limits(), stop=Stop())

    assert found == functions.compose(text, SAVED)


INVALID = [
    SavedHunt("FileName", "print 1"),
    SavedHunt("New", "Recent | wher 1"),
    SavedHunt("New", "New | take 1"),
    SavedHunt("New", "Odd | take 1"),
]


@pytest.mark.parametrize("new", INVALID)
def test_a_process_checks_as_this_process_does(new: SavedHunt, translators: Translators) -> None:
    with pytest.raises(errors.InvalidInput) as here:
        functions.check(new, SAVED)
    with pytest.raises(errors.InvalidInput) as there:
        translators.check(new, SAVED, limits=Limits())

    assert (type(there.value), str(there.value)) == (type(here.value), str(here.value))
    translators.check(SavedHunt("New", "Recent | take 1"), SAVED, limits=Limits())


def test_a_check_ends_with_its_time(translators: Translators) -> None:
    with pytest.raises(errors.StoreError, match="longer than"):
        translators.check(SavedHunt("New", SLOW), {}, limits=Limits(seconds=0.1))


def test_composition_ends_when_its_hunt_is_stopped(translators: Translators) -> None:
    stop = Stop()
    timer = threading.Timer(0.2, stop.stop, ["the client disconnected"])
    timer.start()

    with pytest.raises(errors.StoreError, match="the client disconnected"):
        translators.compose(f"{SLOW} Recent", SAVED, limits=Limits(), stop=stop)
    timer.join()


def test_the_process_imports_no_engine() -> None:
    code = "import sys, driftline.store.query.composition; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert not {"duckdb", "pyarrow", "numpy", "pandas"} & set(found)
