"""Random valid pipelines return the same rows on both engines, with and without rewrites."""

from __future__ import annotations

import collections
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from driftline.kql import rewrite
from tests.clickhouse_engine import EngineName, hunt_without_tables
from tests.kql.pipelines import pipelines
from tests.kql.test_fixtures import written

RUNS = settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def rows(query: str, engine: EngineName) -> collections.Counter[str]:
    """Return the rows without their order; reals to nine digits, because engines add in different orders."""
    found = hunt_without_tables(query, engine)
    kinds = [(field.metadata or {})[b"kusto"].decode() for field in found.schema]
    return collections.Counter(
        json.dumps([_plain(value, kind) for value, kind in zip(row.values(), kinds, strict=True)], sort_keys=True)
        for row in found.to_pylist()
    )


def _plain(value: Any, kind: str) -> Any:
    return float(f"{value:.9g}") if isinstance(value, float) else written(value, kind)


@RUNS
@given(pipelines())
def test_both_engines_return_the_same_rows(query: str) -> None:
    assert rows(query, "duckdb") == rows(query, "clickhouse")


@RUNS
@given(pipelines())
def test_rewrites_do_not_change_the_rows(query: str) -> None:
    rewritten = rows(query, "duckdb")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rewrite, "rewritten", lambda plan, *_: plan)
        assert rows(query, "duckdb") == rewritten
