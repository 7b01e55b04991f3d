"""The reference page is the one the tables print, and every function in it can be emitted."""

from __future__ import annotations

from pathlib import Path

from driftline.kql import manual, parse, reference
from driftline.kql.bind.operators import SUPPORTED, plugins

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "kql.md"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text() == reference.page()


def test_every_operator_has_its_row_and_says_whether_it_is_supported() -> None:
    assert manual.FORMS.keys() == parse.OPERATORS.keys()
    assert {name for name, (form, _) in manual.FORMS.items() if form} == SUPPORTED


def test_every_source_and_plugin_has_its_row() -> None:
    assert manual.SOURCE_FORMS.keys() == parse.SOURCES.keys()
    assert manual.PLUGIN_FORMS.keys() == plugins.PLUGINS.keys()
