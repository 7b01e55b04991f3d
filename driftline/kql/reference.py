"""The reference page, printed from the tables: ``python -m driftline.kql.reference > docs/reference/kql.md``."""

from __future__ import annotations

import sys

from driftline.kql import functions, parse
from driftline.kql.bind.operators import SUPPORTED
from driftline.kql.functions import Function

__all__ = ["page"]

INTRODUCTION = """# KQL

What a hunt may use. Printed by `python -m driftline.kql.reference`; do not edit.

Datetimes have microseconds, timespans ticks of 100 ns. `dcount` is exact. Everything else is
refused with its place in the query.
"""


def page() -> str:
    """Give the page as Markdown."""
    tables = [
        ("## Operators", _operators()),
        ("## Scalar functions and operators", _functions(functions.FUNCTIONS)),
        ("## Aggregates and window functions", _functions(functions.AGGREGATES)),
    ]
    return INTRODUCTION + "".join(f"\n{title}\n\n{body}\n" for title, body in tables)


def _operators() -> str:
    rows = [f"| `{name}` | {'yes' if name in SUPPORTED else 'refused'} |" for name in sorted(parse.OPERATORS)]
    return "\n".join(["| operator | supported |", "| --- | --- |", *rows])


def _functions(table: dict[str, Function]) -> str:
    rows = [_row(row) for name, row in sorted(table.items()) if row.doc]
    return "\n".join(["| function | engines | what it does |", "| --- | --- | --- |", *rows])


def _row(row: Function) -> str:
    both = row.clickhouse is not None or row.duckdb is None  # rows without templates are made of others
    signature = row.signature.replace("|", "\\|")
    return f"| `{signature}` | {'both' if both else 'DuckDB'} | {row.doc} |"


if __name__ == "__main__":
    sys.stdout.write(page())
