"""``driftline hunt``: KQL queries over the tables of a store, over files, or on a server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from driftline import hunts
from driftline.cli._shared import completers, saved_hunts
from driftline.cli._shared.hunt_sources import LocalHunt, open_source, pairs, start_time
from driftline.cli._shared.options import DEFAULT_STORE, Flag, Repeated, Store
from driftline.cli._shared.result_formats import Output, print_result
from driftline.cli._shared.server_hunt import ServerHunt, server_columns
from driftline.errors import InvalidInput, InvalidQuery
from driftline.kql.print import printer
from driftline.store.query.hunt_store import Explanation
from driftline.store.query.hunt_tables import Limits

app = App(
    name="hunt",
    help_epilogue="Give a query, --file or --run; without one, a terminal gets a shell with completion. "
    "Exit codes: 0 for a result, 1 if the query failed or exceeded a limit, 2 if the query is wrong (every error is "
    "underlined), 130 after Ctrl-C.",
)

QueryFile = Annotated[
    Path | None, Parameter(name=["--file", "-f"], help="Read the query from this file; - for standard input.")
]
HuntName = Annotated[str, Parameter(completer=completers.hunts)]


@app.default
def hunt(
    query: str = "",
    *,
    file: QueryFile = None,
    run: HuntName = "",
    output: Output = "table",
    timespan: str = "",
    param: Repeated = None,
    table: Repeated = None,
    schema: Path | None = None,
    timeout: float = 60.0,
    rows: int = 1_000_000,
    explain: Flag = False,
    store: Store = DEFAULT_STORE,
    server: str = "",
) -> None:
    """Run a KQL query and print its rows.

    Raises ``InvalidInput`` for a wrong query, with a line that underlines each error.

    Parameters
    ----------
    query
        Text of the query.
    run
        Run this hunt: a saved one, or one of the library.
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
    server
        Run the query on this server (URL), to which you are logged in. --run then finds the hunts saved there, too, and
        the limits of the server apply in addition to --rows. Default: none, use --store or --table.
    """
    parameters, limits = pairs("--param", param), Limits(seconds=timeout, rows=rows)
    # The server looks the name up: it has saved hunts of its own, and its library may be of another version.
    if server and run and not query and file is None:
        return _print_hunt(ServerHunt(server, "", run, parameters, timespan, rows), explain=explain, output=output)
    source = None if server else open_source(table, schema, store, limits, reads_query=str(file) == "-")

    def answer(text: str, output: Output, timespan: str) -> None:
        query = saved_hunts.with_functions(text)
        try:
            if source is None:
                prepared: LocalHunt | ServerHunt = ServerHunt(server, query.text, "", parameters, timespan, rows)
            else:
                prepared = source.prepare(query.text, parameters, start_time(timespan))
            _print_hunt(prepared, explain=explain, output=output)
        except InvalidQuery as error:
            raise _underlined(query, error) from error

    if not query and file is None and not run and sys.stdin.isatty():
        from driftline.cli._shared import hunt_shell  # noqa: PLC0415 -- prompt_toolkit takes longer than a short hunt
        from driftline.cli._shared.query_completion import Vocabulary  # noqa: PLC0415

        vocabulary = Vocabulary(server_columns(server) if source is None else source.columns())
        return hunt_shell.run_shell(answer, vocabulary, output=output, timespan=timespan)
    return answer(_read_query(query, file, run), output, timespan)


@app.command(name="list")
def list_() -> None:
    """List the hunts of the library and the saved hunts."""
    _print_list()


@app.command
def show(name: HuntName, /) -> None:
    """Print the description and the query of a hunt.

    Parameters
    ----------
    name
        Name of the hunt.
    """
    print(_describe(name))


@app.command
def save(name: str, query: str = "", /, *, file: QueryFile = None) -> None:
    """Save a query under a name, in place of the saved hunt of that name; `--run NAME` runs it.

    Parameters
    ----------
    name
        Letters, digits, - and _.
    query
        Text of the query.
    """
    print(saved_hunts.save(name, _read_query(query, file, "")))


@app.command
def forget(name: Annotated[str, Parameter(completer=completers.saved_hunts)], /) -> None:
    """Remove a saved hunt.

    Parameters
    ----------
    name
        Name of the hunt.
    """
    saved_hunts.forget(name)


@app.command(name="format")
def format_(query: str = "", /, *, file: QueryFile = None) -> None:
    """Print a query in its canonical format, with its comments.

    Parameters
    ----------
    query
        Text of the query.
    """
    print(_format(_read_query(query, file, "")))


def _format(text: str) -> str:
    try:
        return printer.formatted(text)
    except InvalidQuery as error:
        raise _underlined(saved_hunts.Query(text), error) from error


def _underlined(query: saved_hunts.Query, error: InvalidQuery) -> InvalidInput:
    return InvalidInput("\n".join(_underline(query, problem) for problem in query.locate(error).problems))


def _print_hunt(hunt: LocalHunt | ServerHunt, *, explain: bool, output: Output) -> None:
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


# Output


def _print_list() -> None:
    from rich.table import Table  # noqa: PLC0415 -- a hunt needs it only for tables

    from driftline.cli._shared.tables import print_table  # noqa: PLC0415

    shown = Table(box=None, header_style="dim")
    for column in ("hunt", "looks for", "tactic", "techniques"):
        shown.add_column(column, overflow="fold")
    for each in hunts.load().values():
        shown.add_row(each.name, each.title, each.tactic, " ".join(each.techniques))
    for name in saved_hunts.saved_names():
        shown.add_row(name, "saved", "", "")
    print_table(shown)


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
