"""The table of functions is complete: templates for both dialects, and no facts about names outside of it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from driftline.kql import dialects, functions
from driftline.kql.bind.functions import special, windows
from driftline.kql.bind.operators import summarize
from driftline.kql.functions import Aggregate, Function
from driftline.kql.functions.plan_only import PLAN_ONLY

ROOT = Path(functions.__file__).parents[1]
TABLES = {**functions.FUNCTIONS, **functions.AGGREGATES, **PLAN_ONLY}
EMITTED = {name for plans in dialects.DIALECTS.values() for name in plans.scalar_emitter.calls}
MADE_BY_CODE = {*special.SPECIAL, *windows.WINDOWS, *summarize.SEVERAL, *EMITTED}
OPERATORS = {"+", "-", "*", "%", "==", "!=", "<", "<=", ">", ">=", "=~", "!~", "and", "or", "has", "contains"}
"""Symbols and words of the language, of which the binder makes functions."""
LANGUAGE = ("parse", "print", "text", "functions")
"""Packages that know words of the language, not functions of a plan."""


def is_made_by_code(row: Function) -> bool:
    return row.name in MADE_BY_CODE or (isinstance(row, Aggregate) and bool(row.gathers or row.each))


def test_every_function_has_a_template_for_both_dialects_or_says_which_one_refuses_it() -> None:
    for row in TABLES.values():
        both = {dialect for dialect in ("duckdb", "clickhouse") if row.template(dialect) is not None}
        if row.only_on:
            assert both == {row.only_on} or (not both and is_made_by_code(row)), row.name
        elif not is_made_by_code(row):
            assert both == {"duckdb", "clickhouse"}, row.name


def test_every_name_in_a_row_is_a_function() -> None:
    for row in TABLES.values():
        names = [row.in_filter, row.among_few_rows, row.mirrored]
        if isinstance(row, Aggregate):
            names += [row.gathers, row.gathers_dynamic, row.each, row.across_columns]
        assert {name for name in names if name} <= TABLES.keys(), row.name


def test_no_name_is_in_two_tables() -> None:
    tables: tuple[Mapping[str, object], ...] = (
        functions.FUNCTIONS,
        functions.AGGREGATES,
        PLAN_ONLY,
        functions.REFUSED,
        functions.ALIASES,
    )

    assert len({name for table in tables for name in table}) == sum(len(table) for table in tables)


def texts(nodes: Iterable[ast.expr | None]) -> list[str]:
    return [str(node.value) for node in nodes if isinstance(node, ast.Constant)]


def collections(tree: ast.AST) -> Iterator[tuple[int, list[str]]]:
    """Yield the strings of sets, lists and tuples, and the keys of dictionaries whose values are not code."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Set, ast.List, ast.Tuple)):
            yield node.lineno, texts(node.elts)
        elif isinstance(node, ast.Dict) and all(isinstance(value, (ast.Constant, ast.Tuple)) for value in node.values):
            yield node.lineno, texts(node.keys)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.count("\n") == 0:
            yield node.lineno, node.value.split()


def test_no_facts_about_functions_stand_outside_of_the_table() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {', '.join(names)}"
        for path in sorted(ROOT.rglob("*.py"))
        if path.relative_to(ROOT).parts[0] not in LANGUAGE
        for line, names in collections(ast.parse(path.read_text()))
        if len(names) > 1 and set(names) <= TABLES.keys() - OPERATORS
    ]

    assert found == []
