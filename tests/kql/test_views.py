"""Views and columns that are defined in KQL over the tables of a schema."""

from __future__ import annotations

import datetime

import pytest

from driftline import kql
from driftline.errors import InvalidQuery, QueryProblem
from driftline.kql.rewrite import Bounds

SCHEMA = {"Events": {"Timestamp": "datetime", "Pod": "string", "Count": "long"}}
VIEWS = kql.Views(
    tables={
        "Busy": "Events | where Count > 5 | project Pod, Twice = Count * 2",
        "BusyPods": "Busy | distinct Pod",
    },
    columns={"Events": {"TimeGenerated": "Timestamp", "Type": "'Events'", "_Id": "strcat(Pod, '/', Count)"}},
)
NOW = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC)


def compiled(text: str, refused: dict[str, str] | None = None) -> kql.Translation:
    schema = {name: columns for name, columns in SCHEMA.items() if name not in (refused or {})}
    return kql.compiled(text, schema, now=NOW, refused=refused, views=VIEWS)


def names(text: str) -> list[str]:
    return [name for name, _ in compiled(text).columns]


def test_a_view_is_a_table_and_may_read_another_view() -> None:
    assert compiled("Busy | where Twice > 20").columns == (("Pod", "string"), ("Twice", "long"))
    assert compiled("BusyPods").tables == ("Events",)


def test_a_view_does_not_see_the_lets_of_the_query() -> None:
    text = "let Events = datatable(x: long)[1]; let Count = 1; Busy"

    assert compiled(text).tables == ("Events",)


def test_a_let_hides_a_view() -> None:
    assert names("let Busy = print a = 1; Busy") == ["a"]


def test_a_table_has_a_defined_column_only_if_the_query_mentions_it() -> None:
    assert names("Events") == ["Timestamp", "Pod", "Count"]
    assert names("Events | where TimeGenerated > ago(1d)") == ["Timestamp", "Pod", "Count", "TimeGenerated"]
    assert names("Events | project Type, ['_Id']") == ["Type", "_Id"]
    assert names("Events | extend t = column_ifexists('TimeGenerated', now()) | project t") == ["t"]


def test_a_condition_on_a_defined_column_bounds_the_stored_column() -> None:
    since = int((NOW - datetime.timedelta(days=1)).timestamp() * 1_000_000)

    assert compiled("Events | where TimeGenerated >= ago(1d) | count").reach["Events"].bounds == Bounds(since)


def test_an_unknown_table_may_be_a_misspelt_view() -> None:
    with pytest.raises(InvalidQuery, match="did you mean 'BusyPods'"):
        compiled("BusyPod")


def test_a_view_over_a_table_that_may_not_be_read_is_refused_at_its_name() -> None:
    with pytest.raises(InvalidQuery, match="'Busy' reads the table 'Events', which may not be read: why") as raised:
        compiled("Busy | count", {"Events": "why"})
    (problem,) = raised.value.problems
    assert isinstance(problem, QueryProblem)
    assert (problem.offset, problem.length) == (0, 4)
