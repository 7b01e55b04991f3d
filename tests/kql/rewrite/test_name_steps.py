"""Long values inside of others are said once, and mean what they meant."""

from __future__ import annotations

import pytest

from driftline import store
from driftline.kql import translate
from driftline.store.hunting import Engine

SCHEMA = {"T": {"d": "string", "e": "dynamic"}}


def nested(depth: int) -> str:
    value = "d"
    for level in range(depth):
        value = f"tostring(parse_json({value})[0].k{level})"
    return value


@pytest.mark.parametrize("engine", ["duckdb", "clickhouse"])
@pytest.mark.parametrize("form", ["T | project x = {}", "T | where {} == 'y'", "T | summarize count() by x = {}"])
def test_length_grows_with_depth_not_with_its_power(form: str, engine: Engine) -> None:
    sizes = [len(translate(form.format(nested(depth)), SCHEMA, engine)) for depth in (3, 9)]

    assert sizes[1] < 4 * sizes[0]


@pytest.mark.parametrize("engine", ["duckdb", "clickhouse"])
def test_the_answer_is_the_same(engine: Engine) -> None:
    inner = r"""[{"k2": "deep"}]"""
    for level in (1, 0):
        escaped = inner.replace("\\", "\\\\").replace('"', '\\"')
        inner = f'[{{"k{level}": "{escaped}"}}]'
    query = f"datatable(d: string)[@'{inner}', '', 'no json'] | project x = {nested(3)}"

    assert store.hunt(query, {}, engine)["x"].to_pylist() == ["deep", "", ""]


@pytest.mark.parametrize("engine", ["duckdb", "clickhouse"])
def test_no_column_is_added(engine: Engine) -> None:
    query = f"datatable(d: string)['[1]'] | mv-expand x = parse_json({nested(3)}) | where isempty({nested(3)})"

    assert store.hunt(query, {}, engine).column_names == ["d", "x"]
