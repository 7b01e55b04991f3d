"""Verification of a store: every row and file is read and compared with the store's own records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet

from driftline.events import TABLES
from driftline.store.files.engine import COLD
from driftline.store.schema import quoted
from driftline.store.term_index.index import TermIndex

__all__ = ["find_problems"]


def find_problems(cursor: duckdb.DuckDBPyConnection, directory: Path) -> list[str]:
    """Read the whole store and return its problems, one sentence each.

    ``directory`` is the store's, ``cursor`` one of its database. An empty list means that it is intact.
    """
    return [*_hot_problems(cursor), *_cold_problems(cursor, directory / COLD), *_range_problems(cursor)]


# Hashing a row needs every value, so DuckDB reads every block and compares it with its checksum
# (https://duckdb.org/docs/stable/internals/storage).
def _hot_problems(cursor: duckdb.DuckDBPyConnection) -> Iterator[str]:
    for name in TABLES:
        try:
            cursor.execute(f"SELECT bit_xor(hash(t)) FROM {quoted(name)} t").fetchall()  # noqa: S608
        except duckdb.Error as error:
            yield f"{name}: its newest rows cannot be read: {error}"


def _cold_problems(cursor: duckdb.DuckDBPyConnection, directory: Path) -> Iterator[str]:
    known = cursor.execute("SELECT file, rows, bytes FROM _cold ORDER BY file").fetchall()
    for file, rows, size in known:
        problem = _file_problem(directory / file, rows, size)
        if problem:
            yield f"{directory / file}: {problem}"


# The size first, for it costs no reading. Reading all batches decompresses every page. Parquet's checksums of pages
# are optional, so the number of rows is compared too.
def _file_problem(path: Path, rows: int, size: int) -> str:
    try:
        if path.stat().st_size != size:
            return f"expected {size} bytes, found {path.stat().st_size}"
        with pyarrow.parquet.ParquetFile(path) as file:
            found = sum(batch.num_rows for batch in file.iter_batches())
    except (OSError, pa.ArrowException) as error:
        return f"cannot be read: {error}"
    if found != rows:
        return f"expected {rows} rows, found {found}"
    index = TermIndex.open(path)
    return "" if index is None or index.is_intact() else "its term index is damaged; remove the file to have it rebuilt"


# Ranges of row numbers of a stream (``dedup``), both ends included.
def _range_problems(cursor: duckdb.DuckDBPyConnection) -> Iterator[str]:
    sql = "SELECT DISTINCT stream FROM _received WHERE last < first"
    for (stream,) in cursor.execute(sql).fetchall():
        yield f"a range of the stream {stream!r} ends before it begins"
