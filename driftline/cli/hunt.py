"""``driftline hunt``: KQL over the store's tables, or over files."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from driftline import kql
from driftline.cli._alert import safe
from driftline.cli._rows import DEFAULT_STORE, Store
from driftline.errors import InvalidInput, InvalidQuery
from driftline.events import TABLES
from driftline.kql import constants
from driftline.store import hunting
from driftline.store.query import MAX_ROWS, Filter, Query
from driftline.store.reader import open_reader

app = App(name="hunt", help="Ask in KQL what happened.")

Output = Literal["table", "json", "csv", "parquet"]


@app.default
def hunt(
    query: str = "",
    *,
    file: Annotated[Path | None, Parameter(name=["--file", "-f"])] = None,
    output: Output = "table",
    timespan: str = "",
    table: list[str] | None = None,
    schema: Path | None = None,
    explain: bool = False,
    store: Store = DEFAULT_STORE,
) -> None:
    """Run a KQL query and show its rows.

    Parameters
    ----------
    query
        The query's text.
    file
        Read the query from this file instead; ``-`` for standard input.
    output
        For people; one JSON object a line; CSV; Parquet (to standard output).
    timespan
        Only rows of the last so much time (``30m``, ``12h``, ``7d``), where there is a Timestamp.
    table
        ``NAME=FILE``: hunt over a Parquet, CSV or JSON-lines file, not over the store.
    schema
        JSON file of Kusto types: ``{"NAME": {"column": "datetime"}}``.
    explain
        Show the SQL instead of running it.
    store
        Directory of the event store.
    """
    text = _text(query, file)
    types = _schema(schema)
    try:
        tables = _tables(text, table or [], store, timespan)
        if explain:
            print(
                kql.translate(
                    text, {name: {**hunting.schema_of(rows), **types.get(name, {})} for name, rows in tables.items()}
                )
            )
            return
        _show(hunting.hunt(text, tables, schema=types), output)
    except InvalidQuery as error:
        raise InvalidInput("\n".join(_pointed(text, problem) for problem in error.problems)) from error


def _text(query: str, file: Path | None) -> str:
    if bool(query) == (file is not None):
        raise InvalidInput("expected either a query or -f FILE")
    if file is None:
        return query
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file}: {error}") from error


def _schema(path: Path | None) -> dict[str, dict[str, str]]:
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path}: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(columns, dict) for columns in found.values()):
        raise InvalidInput(f'{path}: expected {{"table": {{"column": "type"}}}}')
    return found


def _tables(text: str, given: list[str], directory: Path, timespan: str) -> dict[str, pa.Table]:
    after = _after(timespan)
    if given:
        found = {}
        for each in given:
            name, equals, path = each.partition("=")
            if not equals or not name:
                raise InvalidInput(f"--table: expected NAME=FILE, got {each!r}")
            found[name] = _recent(hunting.open_table(path), after)
        return found
    return _stored(text, directory, after)


def _stored(text: str, directory: Path, after: datetime.datetime | None) -> dict[str, pa.Table]:
    """Read those of the store's tables that the query could mean; all are known by their columns."""
    where = [Filter("Timestamp", ">=", after.isoformat())] if after else []
    everything = any(word in text for word in ("*", "search", "find"))
    wanted = [name for name in TABLES if name in text or everything]
    found = {name: _empty(name) for name in TABLES}
    if wanted:
        with open_reader(directory) as reader:
            for name in wanted:
                rows = reader.select(Query(table=name, where=where, limit=MAX_ROWS))
                if rows.num_rows >= MAX_ROWS:
                    raise InvalidInput(f"{name} has more than {MAX_ROWS} rows; give a --timespan that holds fewer")
                found[name] = rows.cast(_fields(name))
    return found


def _empty(name: str) -> pa.Table:
    return pa.table({c.name: pa.array([], hunting.TYPES[c.type]) for c in TABLES[name].columns}, schema=_fields(name))


def _fields(name: str) -> pa.Schema:
    return pa.schema(
        [pa.field(c.name, hunting.TYPES[c.type], metadata={"kusto": c.type}) for c in TABLES[name].columns]
    )


def _after(timespan: str) -> datetime.datetime | None:
    if not timespan:
        return None
    ticks = constants.timespan_ticks(timespan)
    if ticks is None:
        raise InvalidInput(f"--timespan: expected a span like 30m, 12h, 7d, got {timespan!r}")
    return datetime.datetime.now(datetime.UTC) - datetime.timedelta(microseconds=ticks // 10)


def _recent(rows: pa.Table, after: datetime.datetime | None) -> pa.Table:
    if (
        after is None
        or "Timestamp" not in rows.column_names
        or not pa.types.is_timestamp(rows.schema.field("Timestamp").type)
    ):
        return rows
    moments = rows.column("Timestamp").cast(pa.timestamp("us", "UTC"), safe=False)
    return rows.filter(pa.compute.greater_equal(moments, pa.scalar(after, pa.timestamp("us", "UTC"))))


# Output


def _pointed(text: str, problem: Any) -> str:
    """Write a problem with its line of the query and a mark under the place."""
    if not problem.line:
        return str(problem)
    line = text.split("\n")[problem.line - 1]
    rest = max(len(line) - problem.column + 1, 1)
    mark = "^" * max(min(getattr(problem, "length", 1), rest), 1)
    return f"{problem}\n  {line}\n  {' ' * (problem.column - 1)}{mark}"


def _show(rows: pa.Table, output: Output) -> None:
    if output == "parquet":
        sink = pa.BufferOutputStream()
        pyarrow.parquet.write_table(rows, sink)
        sys.stdout.buffer.write(sink.getvalue())
    elif output == "csv":
        sink = pa.BufferOutputStream()
        pyarrow.csv.write_csv(_texts(rows), sink)
        sys.stdout.buffer.write(sink.getvalue())
    elif output == "json":
        for row in _objects(rows):
            print(json.dumps(row, ensure_ascii=False))
    else:
        _print_table(rows)


def _kinds(rows: pa.Table) -> list[str]:
    return [(field.metadata or {})[b"kusto"].decode() for field in rows.schema]


def _objects(rows: pa.Table) -> list[dict[str, Any]]:
    kinds = dict(zip(rows.column_names, _kinds(rows), strict=True))
    return [{name: _plain(value, kinds[name]) for name, value in row.items()} for row in rows.to_pylist()]


def _plain(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "datetime":
        return value.isoformat()
    if kind == "timespan":
        return constants.timespan_text(int(value / datetime.timedelta(microseconds=1)) * 10)
    return json.loads(value) if kind == "dynamic" else value


def _cell(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return constants.dumps(value)
    return "" if value is None else str(value)


def _texts(rows: pa.Table) -> pa.Table:
    cells = [[_cell(_plain(v, kind)) for v in rows.column(i).to_pylist()] for i, kind in enumerate(_kinds(rows))]
    return pa.table([pa.array(column, pa.string()) for column in cells], names=rows.column_names)


def _print_table(rows: pa.Table) -> None:
    shown = Table(box=None, header_style="dim")
    for name in rows.column_names:
        shown.add_column(safe(name), overflow="fold")
    for row in _texts(rows).to_pylist():
        shown.add_row(*(safe(value) for value in row.values()))
    Console().print(shown, markup=False)
