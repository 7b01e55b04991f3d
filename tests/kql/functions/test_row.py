"""A row of the function table: its SQL on one line, its name once, its result column."""

from __future__ import annotations

import pytest

from driftline.kql.functions.row import Aggregate, Function, rows, single_line


def test_a_template_over_several_lines_is_one_line() -> None:
    template = """
        CASE
        WHEN _0 > 1 THEN concat(
            _0,
            'a  b'
        )
        END"""

    assert single_line(template) == "CASE WHEN _0 > 1 THEN concat(_0, 'a  b') END"


def test_templates_of_each_type_are_one_line() -> None:
    row = Function("f", "any", "long", both={"long": "_0", "*": "f(\n    _0\n)"})

    assert row.template("duckdb") == row.template("clickhouse") == {"long": "_0", "*": "f(_0)"}


def test_a_name_stands_once() -> None:
    with pytest.raises(ValueError, match="f"):
        rows([Function("f", "", "long"), Function("f", "any", "long")])


def test_an_aggregate_names_its_column_after_itself_and_its_argument() -> None:
    assert Aggregate("sum", "any", "long").column_name == "sum_{0}"
    assert Function("sum", "any", "long").column_name is None
