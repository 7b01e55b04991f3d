"""Files as tables of a hunt: Parquet, CSV and JSON, plain or compressed, one file, a folder or a pattern.

JSON values keep their value: nested ones stay the text that the file has (every digit of a number, each object with
its own keys only), and a text is a datetime only as a whole date and time with an offset (RFC 3339).
"""

from __future__ import annotations

import datetime
import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

import msgspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from driftline.errors import InvalidInput

__all__ = ["ENDINGS", "find_files", "is_parquet", "parse_datetimes", "read_files"]

PARQUET = ".parquet"
CSV = ".csv"
JSON = (".json", ".jsonl", ".ndjson", ".log")
COMPRESSION = {".gz": "gzip", ".zst": "zstd"}
ENDINGS = f"{PARQUET}, {CSV}, {', '.join(JSON)}, the last five also with {' or '.join(COMPRESSION)}"
"""Endings of readable files, for messages."""
STANDARD_INPUT = Path("-")
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
"""First bytes of compressed data (RFC 1952 section 2.3.1, RFC 8878 section 3.1.1)."""
_PARQUET_MAGIC = b"PAR1"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_PATTERN = re.compile(r"[*?\[]")
# RFC 3339 section 5.6, with a space allowed for the T as its note does.
_DATETIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")

Line = Mapping[str, msgspec.Raw]
Stream: TypeAlias = "io.BufferedReader[io.RawIOBase]"
_line = msgspec.json.Decoder(dict[str, msgspec.Raw])
_lines = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


def find_files(location: str | Path) -> list[Path]:
    """Return the files of a file name, a folder, a pattern with ``*``, ``?`` or ``[``, or ``-`` for standard input.

    A folder stands for all its readable files, those of subfolders included. The result is sorted and not empty.
    Raises ``InvalidInput`` if nothing is found, and for a file whose ending tells no format.
    """
    path = Path(location)
    if path == STANDARD_INPUT:
        return [path]
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.is_file() and _format(file))
        if not found:
            raise InvalidInput(f"{path}: expected a folder with files named {ENDINGS}")
        return found
    if path.exists() or not _PATTERN.search(str(path)):
        found = [path]
    else:
        pattern = path.relative_to(path.anchor)
        found = sorted(file for file in Path(path.anchor or ".").glob(str(pattern)) if file.is_file())
    if not found:
        raise InvalidInput(f"{path}: no file matches")
    for file in found:
        if not _format(file):
            raise InvalidInput(f"{file}: expected a file named {ENDINGS}")
    return found


def is_parquet(path: Path) -> bool:
    """Report whether the ending of a file's name is that of Parquet."""
    return _format(path) == PARQUET


def read_files(paths: Sequence[Path]) -> pa.Table:
    """Read all rows of some files of any format, one below the other.

    Columns are joined by name; a file without a column gives it null. The metadata of a field names its Kusto type
    under ``kusto`` if the Arrow type does not tell it. Raises ``InvalidInput`` for a file that cannot be read, and
    for a column whose types differ between the files.
    """
    lines: list[Line] = []
    tables: list[pa.Table] = []
    for path in paths:
        try:
            found = _read(path)
        except (OSError, pa.ArrowException) as error:
            raise InvalidInput(f"{path}: {error}") from error
        if isinstance(found, pa.Table):
            tables.append(found)
        else:
            lines += found
    if lines or not tables:
        tables.append(_table_of_lines(lines))
    try:
        return pa.concat_tables(tables, promote_options="permissive") if len(tables) > 1 else tables[0]
    except pa.ArrowException as error:
        raise InvalidInput(f"the files of the table differ: {error}") from error


# JSON files give lines, so that the types of a column come from all of them; the others give a table each.
def _read(path: Path) -> pa.Table | list[Line]:
    if path == STANDARD_INPUT:
        data = sys.stdin.buffer.read()
        compression = next((name for magic, name in _MAGIC.items() if data.startswith(magic)), None)
        source = pa.input_stream(pa.py_buffer(data), compression=cast("Any", compression))
    else:
        source = pa.input_stream(str(path), compression=cast("Any", COMPRESSION.get(path.suffix.lower())))
    with source:
        stream: Stream = io.BufferedReader(cast("io.RawIOBase", source), 1 << 20)
        kind = _format(path) or _format_of_content(stream)
        if kind == PARQUET:
            return pyarrow.parquet.read_table(pa.BufferReader(stream.read()))
        if kind == CSV:
            return _with_datetimes(pyarrow.csv.read_csv(stream))
        return list(_json_lines(stream, path))


# For standard input, which has no name.
def _format_of_content(stream: Stream) -> str:
    begin = stream.peek(1)
    if begin.startswith(_PARQUET_MAGIC):
        return PARQUET
    return JSON[0] if begin.removeprefix(_BYTE_ORDER_MARK).lstrip()[:1] in (b"{", b"[") else CSV


def _format(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSION:
        suffixes.pop()
        if suffixes and suffixes[-1] == PARQUET:
            return ""
    ending = suffixes[-1] if suffixes else ""
    return ending if ending in (PARQUET, CSV, *JSON) else ""


# JSON


def _json_lines(stream: Stream, path: Path) -> Iterator[Line]:
    if stream.peek(4).startswith(_BYTE_ORDER_MARK):
        stream.read(len(_BYTE_ORDER_MARK))
    if stream.peek(1).lstrip()[:1] == b"[":
        yield from _decoded(_lines.decode, stream.read(), f"{path}")
        return
    for number, line in enumerate(stream, start=1):
        if not line.isspace():
            yield _decoded(_line.decode, line, f"{path}, line {number}")


def _decoded(decode: Callable[[bytes], Any], data: bytes, where: str) -> Any:
    try:
        data.decode()  # msgspec.Raw does not look into its text
        return decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{where}: expected a JSON object on each line, or an array of objects: {error}") from error


def _table_of_lines(lines: Sequence[Line]) -> pa.Table:
    names = dict.fromkeys(name for line in lines for name in line)
    columns = [_column(name, [line.get(name) for line in lines]) for name in names]
    fields = [field for field, _ in columns]
    return pa.Table.from_arrays([array for _, array in columns], schema=pa.schema(fields))


# A JSON text tells its kind by its first byte (RFC 8259 section 2).
def _kind(raw: bytes) -> str:
    first = raw[:1]
    if first == b"n":
        return "null"
    if first in b"-0123456789":
        return "real" if any(byte in b".eE" for byte in raw) else "long"
    return {b'"': "string", b"t": "bool", b"f": "bool"}.get(first, "dynamic")


_ARROW_TYPES = {"bool": pa.bool_(), "long": pa.int64(), "real": pa.float64(), "string": pa.string()}


# Values of one kind give a column of that type; integers among reals are reals; any other mixture is dynamic.
def _column(name: str, values: Sequence[msgspec.Raw | None]) -> tuple[pa.Field[Any], pa.Array[Any]]:
    texts = [bytes(value).strip() if value is not None else b"null" for value in values]
    kinds = {_kind(text) for text in texts} - {"null"}
    if not kinds:
        return pa.field(name, pa.null()), pa.nulls(len(texts))
    kind = "real" if kinds == {"long", "real"} else kinds.pop() if len(kinds) == 1 else "dynamic"
    if kind != "dynamic":
        try:
            decoded = [msgspec.json.decode(text) for text in texts]
            array: pa.Array[Any] = pa.array(decoded, cast("Any", _ARROW_TYPES[kind]))
        except (pa.ArrowException, OverflowError):  # beyond 64 bits
            kind = "dynamic"
        else:
            array = _as_datetimes(array) if kind == "string" else array
            return pa.field(name, array.type), array
    found = [None if text == b"null" else text.decode() for text in texts]
    return pa.field(name, pa.string(), metadata={"kusto": "dynamic"}), pa.array(found, pa.string())


# Datetimes


def parse_datetimes(values: Iterable[str | None]) -> pa.Array[Any]:
    """Return texts as timestamps in UTC, to the microsecond; null and empty texts are null.

    A text is a date, or a date and time with or without an offset (ISO 8601); without one it is in UTC. Raises
    ``ValueError`` for any other text.
    """
    return pa.array([_parse(value) if value else None for value in values], pa.timestamp("us", "UTC"))


def _parse(text: str) -> datetime.datetime:
    moment = datetime.datetime.fromisoformat(text.upper())
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


# A column of texts is one of datetimes only if every text is one.
def _as_datetimes(array: pa.Array[Any]) -> pa.Array[Any]:
    texts = array.to_pylist()
    if not any(texts) or not all(text is None or _DATETIME.fullmatch(text) for text in texts):
        return array
    try:
        return parse_datetimes(texts)
    except ValueError:  # no such day, or an hour of 25
        return array


# pyarrow's reader knows datetimes without fractions only.
def _with_datetimes(table: pa.Table) -> pa.Table:
    for number, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            column = _as_datetimes(table.column(number).combine_chunks())
            table = table.set_column(number, pa.field(field.name, column.type), column)
    return table
