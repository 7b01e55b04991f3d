"""The reference page is up to date, and has every operator, source and plugin."""

from __future__ import annotations

from pathlib import Path

from driftline.kql import operator_docs, parse, reference
from driftline.kql.bind.operators import SUPPORTED, evaluate

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "kql.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == reference.page()


def test_every_operator_has_a_row_that_shows_whether_it_is_supported() -> None:
    assert operator_docs.FORMS.keys() == parse.OPERATORS.keys()
    assert {name for name, (form, _) in operator_docs.FORMS.items() if form} == SUPPORTED


def test_every_source_and_plugin_has_a_row() -> None:
    assert operator_docs.SOURCE_FORMS.keys() == parse.SOURCES.keys()
    assert operator_docs.PLUGIN_FORMS.keys() == evaluate.PLUGINS.keys()
