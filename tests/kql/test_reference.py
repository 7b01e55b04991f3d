"""The reference page is the one the tables print, and every function in it can be emitted."""

from __future__ import annotations

from pathlib import Path

from driftline.kql import reference

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "kql.md"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text() == reference.page()
