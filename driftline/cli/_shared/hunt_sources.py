"""The data that a local hunt runs over: a store, or files."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from driftline.clock import EPOCH
from driftline.errors import InvalidInput
from driftline.hunts.schema import SCHEMA, VIEWS, column_types
from driftline.kql.text import constants
from driftline.store.process.reader import is_store, open_reader
from driftline.store.query import hunt_tables
from driftline.store.query.hunt_store import Explanation, Hunt, tables_of
from driftline.store.query.hunt_tables import Limits

__all__ = ["LocalHunt", "Source", "open_source", "pairs", "start_time"]

MICROSECOND = datetime.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class StoreSource:
    """The store in a directory."""

    directory: Path
    limits: Limits

    def columns(self) -> Mapping[str, Mapping[str, str]]:
        """Return the Kusto types of the columns, by table."""
        return {**SCHEMA, **{name: column_types(name) for name in VIEWS.tables}}

    def prepare(self, text: str, parameters: dict[str, str], after: datetime.datetime | None) -> LocalHunt:
        """Return the hunt of a query over this source; ``after`` (aware) leaves out older rows."""
        micros = None if after is None else (after - EPOCH) // MICROSECOND
        limits = self.limits
        request = Hunt(text=text, parameters=parameters, after=micros, seconds=limits.seconds, rows=limits.rows)
        # A query without tables (print, range, datatable) also runs without a store.
        if not is_store(self.directory) and not tables_of(request):
            return FileHunt(FileSource({}, {}, limits), text, parameters, None)
        return StoreHunt(self.directory, request)


@dataclass(frozen=True, slots=True)
class FileSource:
    """Files, by the name of the table that each makes."""

    tables: dict[str, str]
    types: dict[str, dict[str, str]]
    limits: Limits

    def columns(self) -> Mapping[str, Mapping[str, str]]:
        """Return the Kusto types of the columns, by table; raises ``InvalidInput`` for a file that cannot be read."""
        return hunt_tables.column_types(self.tables, schema=self.types)

    def prepare(self, text: str, parameters: dict[str, str], after: datetime.datetime | None) -> LocalHunt:
        """Return the hunt of a query over this source; ``after`` (aware) leaves out older rows."""
        return FileHunt(self, text, parameters, after)


@dataclass(frozen=True, slots=True)
class StoreHunt:
    """A hunt over a store."""

    directory: Path
    request: Hunt

    def hunt(self) -> pa.Table:
        """Run it; raises ``InvalidQuery``, ``InvalidInput`` and ``StoreError``."""
        with open_reader(self.directory) as reader:
            return reader.hunt(self.request)

    def explain(self) -> Explanation:
        """Explain how it would run; raises as ``hunt`` does."""
        with open_reader(self.directory) as reader:
            return reader.explain(self.request)


@dataclass(frozen=True, slots=True)
class FileHunt:
    """A hunt over files."""

    files: FileSource
    text: str
    parameters: dict[str, str]
    after: datetime.datetime | None

    def hunt(self) -> pa.Table:
        """Run it; raises ``InvalidQuery``, ``InvalidInput`` and ``StoreError``."""
        return hunt_tables.hunt(
            self.text,
            self.files.tables,
            schema=self.files.types,
            parameters=self.parameters,
            after=self.after,
            limits=self.files.limits,
        )

    def explain(self) -> Explanation:
        """Explain how it would run; raises as ``hunt`` does."""
        return hunt_tables.explain(self.text, self.files.tables, schema=self.files.types, parameters=self.parameters)


LocalHunt = StoreHunt | FileHunt


Source = StoreSource | FileSource


def open_source(
    given: Sequence[str] | None, schema: Path | None, directory: Path, limits: Limits, *, reads_query: bool
) -> Source:
    """Return the files that ``--table`` gives, or the store in a directory if it gives none.

    ``schema`` is the file of ``--schema``. ``reads_query`` says that standard input has the query. Raises
    ``InvalidInput``.
    """
    if given:
        tables = pairs("--table", given)
        if list(tables.values()).count("-") + reads_query > 1:
            raise InvalidInput("standard input (-) can be read once: by --file or by one --table")
        return FileSource(tables, _schema(schema), limits)
    return StoreSource(directory, limits)


def pairs(option: str, given: Sequence[str] | None) -> dict[str, str]:
    """Return the values of an option that is given as NAME=VALUE, by name; raises ``InvalidInput``."""
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


def start_time(timespan: str) -> datetime.datetime | None:
    """Return the moment (UTC) that lies a span such as 12h ago, ``None`` for no span; raises ``InvalidInput``."""
    if not timespan:
        return None
    ticks = constants.timespan_ticks(timespan)  # of 100 ns, as in Kusto
    if ticks is None:
        raise InvalidInput(f"--timespan: expected a span like 30m, 12h, 7d, got {timespan!r}")
    return datetime.datetime.now(datetime.UTC) - datetime.timedelta(microseconds=ticks // 10)
