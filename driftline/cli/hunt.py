"""``driftline hunt``: KQL queries over the tables of a store, over files, or on a server."""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from driftline import hunts
from driftline.cli._shared import saved_hunts
from driftline.cli._shared.options import DEFAULT_STORE, Flag, Repeated, Store
from driftline.cli._shared.result_formats import Output, print_result
from driftline.cli._shared.server_hunt import ServerHunt
from driftline.clock import EPOCH
from driftline.errors import InvalidInput, InvalidQuery
from driftline.kql.print import printer
from driftline.kql.text import constants
from driftline.store.process.reader import is_store, open_reader
from driftline.store.query import hunt_tables
from driftline.store.query.hunt_store import Explanation, Hunt, tables_of
from driftline.store.query.hunt_tables import Limits

app = App(
    name="hunt",
    help_epilogue="Give a query, --file or --run. Exit codes: 0 for a result, 1 if the query failed or exceeded a "
    "limit, 2 if the query is wrong (every error is underlined), 130 after Ctrl-C.",
)

MICROSECOND = datetime.timedelta(microseconds=1)


@app.default
def hunt(
    query: str = "",
    *,
    file: Annotated[Path | None, Parameter(name=["--file", "-f"])] = None,
    run: str = "",
    show_: Annotated[str, Parameter(name="--show")] = "",
    list_: Annotated[Flag, Parameter(name="--list")] = False,
    save: str = "",
    forget: str = "",
    output: Output = "table",
    timespan: str = "",
    param: Repeated = None,
    table: Repeated = None,
    schema: Path | None = None,
    timeout: float = 60.0,
    rows: int = 1_000_000,
    explain: Flag = False,
    format_: Annotated[Flag, Parameter(name="--format")] = False,
    store: Store = DEFAULT_STORE,
    server: str = "",
) -> None:
    """Run a KQL query and print its rows.

    Raises ``InvalidInput`` for a wrong query, with a line that underlines each error.

    Parameters
    ----------
    query
        Text of the query.
    file
        Read the query from this file; - for standard input.
    run
        Run this hunt: a saved one, or one of the library.
    show_
        Print the description and the query of this hunt, and do not run it.
    list_
        List the hunts of the library and the saved hunts.
    save
        Save the query under this name, and do not run it: letters, digits, - and _.
    forget
        Remove the saved hunt with this name.
    output
        Output format: table for people, json for one object a line, csv, or parquet (binary).
    timespan
        Only rows of this span back from now, such as 30m, 12h or 7d, in tables with a Timestamp or TimeGenerated.
        Default: all rows.
    param
        Value of a parameter of the query, declared with `declare query_parameters`, as NAME=VALUE; may be given several
        times.
    table
        Query files instead of the store, as NAME=FILE: Parquet, CSV or JSON (.json, .jsonl, .ndjson, .log), also with
        .gz or .zst. FILE may be a folder, a pattern such as 'logs/*.log', or - for standard input. May be given several
        times.
    schema
        JSON file with the Kusto types of columns in such files: {"NAME": {"column": "datetime"}}.
    timeout
        Maximum duration in seconds.
    rows
        Maximum number of rows; a query with more fails.
    explain
        Print how the query would run (meaning, files to read, SQL, plan), and do not run it.
    format_
        Print the query in its canonical format, with its comments, and do not run it.
    server
        Run the query on this server (URL), to which you are logged in. --run then finds the hunts saved there, too, and
        the limits of the server apply in addition to --rows. Default: none, use --store or --table.
    """
    if list_:
        return _print_list()
    if show_:
        return print(_describe(show_))
    if forget:
        return saved_hunts.forget(forget)
    # The server looks the name up: it has saved hunts of its own, and its library may be of another version.
    if server and run and not query and file is None:
        by_name = ServerHunt(server, "", run, _pairs("--param", param), timespan, rows)
        return _print_hunt(by_name, explain=explain, output=output)
    text = _read_query(query, file, run)
    if save or format_:
        return print(_format(text) if format_ else saved_hunts.save(save, text))
    query_text = saved_hunts.with_functions(text)
    parameters, limits = _pairs("--param", param), Limits(seconds=timeout, rows=rows)
    try:
        if server:
            _print_hunt(
                ServerHunt(server, query_text.text, "", parameters, timespan, rows), explain=explain, output=output
            )
        else:
            source = _source(table, schema, store, limits, reads_query=str(file) == "-")
            _print_hunt(
                source.prepare(query_text.text, parameters, _start_time(timespan)), explain=explain, output=output
            )
    except InvalidQuery as error:
        raise _underlined(query_text, error) from error
    return None


def _format(text: str) -> str:
    try:
        return printer.formatted(text)
    except InvalidQuery as error:
        raise _underlined(saved_hunts.Query(text), error) from error


def _underlined(query: saved_hunts.Query, error: InvalidQuery) -> InvalidInput:
    return InvalidInput("\n".join(_underline(query, problem) for problem in query.locate(error).problems))


def _print_hunt(hunt: _LocalHunt | ServerHunt, *, explain: bool, output: Output) -> None:
    if explain:
        _print_explained(hunt.explain())
    else:
        print_result(hunt.hunt(), output)


def _read_query(query: str, file: Path | None, name: str) -> str:
    if sum((bool(query), file is not None, bool(name))) != 1:
        raise InvalidInput("expected one of: a query, -f FILE, --run NAME")
    if name:
        return saved_hunts.find(name)
    if file is None:
        return query
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file}: {error}") from error


# Queries and the data they run over


@dataclass(frozen=True, slots=True)
class _StoreSource:
    directory: Path
    limits: Limits

    def prepare(self, text: str, parameters: dict[str, str], after: datetime.datetime | None) -> _LocalHunt:
        micros = None if after is None else (after - EPOCH) // MICROSECOND
        limits = self.limits
        request = Hunt(text=text, parameters=parameters, after=micros, seconds=limits.seconds, rows=limits.rows)
        # A query without tables (print, range, datatable) also runs without a store.
        if not is_store(self.directory) and not tables_of(request):
            return _FileHunt(_FileSource({}, {}, limits), text, parameters, None)
        return _StoreHunt(self.directory, request)


@dataclass(frozen=True, slots=True)
class _FileSource:
    tables: dict[str, str]
    types: dict[str, dict[str, str]]
    limits: Limits

    def prepare(self, text: str, parameters: dict[str, str], after: datetime.datetime | None) -> _LocalHunt:
        return _FileHunt(self, text, parameters, after)


@dataclass(frozen=True, slots=True)
class _StoreHunt:
    directory: Path
    request: Hunt

    def hunt(self) -> pa.Table:
        with open_reader(self.directory) as reader:
            return reader.hunt(self.request)

    def explain(self) -> Explanation:
        with open_reader(self.directory) as reader:
            return reader.explain(self.request)


@dataclass(frozen=True, slots=True)
class _FileHunt:
    files: _FileSource
    text: str
    parameters: dict[str, str]
    after: datetime.datetime | None

    def hunt(self) -> pa.Table:
        return hunt_tables.hunt(
            self.text,
            self.files.tables,
            schema=self.files.types,
            parameters=self.parameters,
            after=self.after,
            limits=self.files.limits,
        )

    def explain(self) -> Explanation:
        return hunt_tables.explain(self.text, self.files.tables, schema=self.files.types, parameters=self.parameters)


_LocalHunt = _StoreHunt | _FileHunt


def _source(
    given: Sequence[str] | None, schema: Path | None, directory: Path, limits: Limits, *, reads_query: bool
) -> _StoreSource | _FileSource:
    if given:
        tables = _pairs("--table", given)
        if list(tables.values()).count("-") + reads_query > 1:
            raise InvalidInput("standard input (-) can be read once: by --file or by one --table")
        return _FileSource(tables, _schema(schema), limits)
    return _StoreSource(directory, limits)


def _pairs(option: str, given: Sequence[str] | None) -> dict[str, str]:
    found = {}
    for each in given or ():
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise InvalidInput(f"{option}: expected NAME=VALUE, got {each!r}")
        found[name] = value
    return found


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


def _start_time(timespan: str) -> datetime.datetime | None:
    if not timespan:
        return None
    ticks = constants.timespan_ticks(timespan)  # of 100 ns, as in Kusto
    if ticks is None:
        raise InvalidInput(f"--timespan: expected a span like 30m, 12h, 7d, got {timespan!r}")
    return datetime.datetime.now(datetime.UTC) - datetime.timedelta(microseconds=ticks // 10)


# Output


def _print_list() -> None:
    shown = Table(box=None, header_style="dim")
    for column in ("hunt", "looks for", "tactic", "techniques"):
        shown.add_column(column, overflow="fold")
    for each in hunts.load().values():
        shown.add_row(each.name, each.title, each.tactic, " ".join(each.techniques))
    for name in saved_hunts.saved_names():
        shown.add_row(name, "saved", "", "")
    Console().print(shown, markup=False)


def _describe(name: str) -> str:
    if name in saved_hunts.saved_names():
        return saved_hunts.find(name).rstrip()
    found = hunts.find(name)
    facts = f"{found.tactic}; {', '.join(found.techniques)}; reads {', '.join(found.tables)}"
    return "\n".join(f"// {line}" for line in (found.title, found.description, facts)) + f"\n{found.query.rstrip()}"


def _print_explained(found: Explanation) -> None:
    print(f"Means\n{found.meaning}\n\nReads")
    for each in found.readings:
        times = f", {each.first or '…'} to {each.last or '…'}" if each.first or each.last else ""
        partly = f", of {each.partly} only row groups that may have the terms" if each.partly else ""
        print(f"{each.table}: {each.files} of {each.of} files{times}{partly}")
    print(f"\nSQL\n{found.sql}\n\nEngine\n{found.engine}")


def _underline(query: saved_hunts.Query, problem: Any) -> str:
    """Return a problem with its line of the query, and marks under the span."""
    if not problem.line:
        return str(problem)
    line = query.line(problem)
    # A span may continue in the next line: underline no further than the end of this one, but at least one column.
    rest = max(len(line) - problem.column + 1, 1)
    mark = "^" * max(min(getattr(problem, "length", 1), rest), 1)
    return f"{problem}\n  {line}\n  {' ' * (problem.column - 1)}{mark}"
