"""The output on ``docs/explanation/kql.md`` is that of the compiler."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

from driftline import kql
from driftline.events import TABLES
from driftline.kql.parse import parse
from driftline.kql.syntax import Pipe

PAGE = (Path(__file__).parents[2] / "docs" / "explanation" / "kql.md").read_text()
SCHEMA = {name: {column.name: column.type for column in table.columns} for name, table in TABLES.items()}
NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)\n```", PAGE, re.DOTALL)


QUERY = blocks("kql")[0]


def test_syntax_tree_of_the_first_operator() -> None:
    body = parse(QUERY).body

    assert isinstance(body, Pipe)
    assert repr(body.operators[0]) in blocks("text")


def test_rewritten_plan() -> None:
    assert kql.outline(kql.compiled(QUERY, SCHEMA, now=NOW)) in blocks("text")


def test_sql() -> None:
    sql = kql.compiled(QUERY, SCHEMA, now=NOW, bounded=True).sql

    assert [sql] == [" ".join(block.split()) for block in blocks("sql")]
