"""The reference page, printed from the tables: ``python -m driftline.kql.reference > docs/reference/kql.md``."""

from __future__ import annotations

import sys

from driftline.kql import functions, operator_docs
from driftline.kql.functions import Function
from driftline.kql.parse import request_properties

__all__ = ["page"]

INTRODUCTION = r"""# KQL

What a hunt may use. Printed by `python -m driftline.kql.reference`; do not edit.

Datetimes have microseconds, timespans ticks of 100 ns. `dcount` is exact. In regular expressions
`\d`, `\w` and `\s` know Unicode, but ASCII alone beside a repetition of more than 16 times; `\b`
knows ASCII. Everything else is refused with its place in the query.
"""


def page() -> str:
    """Give the page as Markdown."""
    tables = [
        ("## What a pipe begins with", _forms(operator_docs.SOURCE_FORMS)),
        ("## Operators", _forms(operator_docs.FORMS)),
        ("## Request properties of set", _properties()),
        ("## Plugins of evaluate", _forms(operator_docs.PLUGIN_FORMS)),
        ("## Scalar functions and operators", _functions(functions.FUNCTIONS)),
        ("## Aggregates and window functions", _functions(functions.AGGREGATES)),
    ]
    return INTRODUCTION + "".join(f"\n{title}\n\n{body}\n" for title, body in tables)


def _forms(table: dict[str, tuple[str, str]]) -> str:
    rows = [
        f"| `{name}` | {f'`{form}`' if form else 'refused'} | {doc} |" for name, (form, doc) in sorted(table.items())
    ]
    return "\n".join(["| name | form | what it does |", "| --- | --- | --- |", *rows])


def _properties() -> str:
    ignored = ", ".join(f"`{name}`" for name in sorted(request_properties.IGNORED))
    refused = [f"- `{name}`: {instead}" for name, instead in sorted(request_properties.REFUSED.items())]
    return "\n".join([f"Accepted, and without effect here: {ignored}.", "", "Refused:", "", *refused])


def _functions(table: dict[str, Function]) -> str:
    rows = [_row(row) for name, row in sorted(table.items()) if row.doc]
    return "\n".join(["| function | engines | what it does |", "| --- | --- | --- |", *rows])


def _row(row: Function) -> str:
    both = row.clickhouse is not None or row.duckdb is None  # rows without templates are made of others
    signature = row.signature.replace("|", "\\|")
    return f"| `{signature}` | {'both' if both else 'DuckDB'} | {row.doc} |"


if __name__ == "__main__":
    sys.stdout.write(page())
