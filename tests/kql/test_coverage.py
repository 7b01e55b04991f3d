"""Every documented function, operator and plugin is used in at least three fixtures."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

from driftline.kql import functions, operator_docs
from driftline.kql.text.problems import Problems
from driftline.kql.text.tokens import Kind, tokenize

ENOUGH = 3
ELSEWHERE = {"geo_info_from_ip_address"}  # it needs a file: tests/store/udf/test_geoip.py
FOLDER = Path(__file__).parent
BLOCKS = [
    block.strip()
    for path in sorted((FOLDER / "fixtures").rglob("*.kql"))
    for block in path.read_text().split("\n---\n")
]
QUERIES = [block.partition("\n")[2].partition("\n=>\n")[0] for block in BLOCKS]


def callable_names() -> set[str]:
    rows = {**functions.FUNCTIONS, **functions.AGGREGATES}
    forms = {**operator_docs.FORMS, **operator_docs.SOURCE_FORMS, **operator_docs.PLUGIN_FORMS}
    return {name for name, row in rows.items() if row.doc} | {name for name, form in forms.items() if form[0]}


def words(query: str) -> set[str]:
    tokens = [token for token in tokenize(query, Problems(query)) if token.kind in {Kind.WORD, Kind.SYMBOL}]
    pairs = {f"{first.text} {second.text}" for first, second in itertools.pairwise(tokens)}
    return {token.text for token in tokens} | pairs


def test_each_documented_name_is_used_in_three_fixtures() -> None:
    found = Counter(word for query in QUERIES for word in words(query))

    assert {name: found[name] for name in callable_names() - ELSEWHERE if found[name] < ENOUGH} == {}


def test_each_function_documented_for_both_engines_is_used_in_a_fixture_for_both() -> None:
    both = [query for query, block in zip(QUERIES, BLOCKS, strict=True) if "[duckdb]" not in block.partition("\n")[0]]
    found = {word for query in both for word in words(query)}
    rows = {**functions.FUNCTIONS, **functions.AGGREGATES}

    assert {name for name, row in rows.items() if row.doc and not row.only_on} - found == set()
