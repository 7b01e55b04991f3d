"""The term index of a Parquet file: Bloom filters that let a hunt for a word skip most rows.

Beside ``x.parquet`` lies ``x.terms``, an Arrow IPC file with one row for each row group of the
Parquet file: the number of its rows, and for each column of texts or JSON a Bloom filter of the
terms in it. The file's metadata holds the SHA-256 of its values.
"""

from __future__ import annotations

import functools
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from driftline.kql.rewrite import All, Either, Need, Term
from driftline.store.term_index.bloom import build_filter, may_contain
from driftline.store.term_index.term_hash import term_hash, term_hashes
from driftline.store.term_index.text_forms import text_forms

__all__ = ["TermIndex", "terms_path", "write_index"]

_ROWS = "rows"
_DIGEST = b"sha256"


def terms_path(parquet: Path) -> Path:
    """Return the path of a Parquet file's index."""
    return parquet.with_suffix(".terms")


def write_index(parquet: Path) -> None:
    """Make the index of a Parquet file, whole or not at all.

    Raises ``OSError`` and ``pyarrow.ArrowException`` if the file cannot be read or the index written.
    """
    made = _index(parquet)
    # Written under another name and renamed once it is on the disk: rename(2) replaces the file at once.
    unfinished = parquet.with_suffix(".unfinished")
    with unfinished.open("wb") as target:
        with pa.ipc.new_file(target, made.schema) as file:
            file.write_table(made)
        target.flush()
        os.fsync(target.fileno())
    unfinished.rename(terms_path(parquet))


# Texts are read as dictionaries, as Parquet stores them: each distinct text is hashed once.
def _index(parquet: Path) -> pa.Table:
    schema = pyarrow.parquet.read_schema(parquet)
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    documents = [field.name for field in schema if isinstance(field.type, pa.JsonType)]
    made: dict[str, Any] = {}
    with pyarrow.parquet.ParquetFile(parquet, read_dictionary=texts) as file:
        groups = range(file.num_row_groups)
        made[_ROWS] = pa.array([file.metadata.row_group(each).num_rows for each in groups], pa.int64())
        for name in (*texts, *documents):
            filters = [_filter(file.read_row_group(each, columns=[name]).column(0)) for each in groups]
            made[name] = pa.array(filters, pa.large_binary())
    table = pa.table(made)
    return table.replace_schema_metadata({_DIGEST: _digest(table)})


def _filter(values: pa.ChunkedArray[Any]) -> bytes:
    hashes = [found for chunk in values.chunks for texts in text_forms(chunk) for found in term_hashes(texts)]
    return build_filter(pc.unique(pa.array(np.concatenate(hashes))).to_numpy()) if hashes else b""


def _digest(index: pa.Table) -> str:
    digest = hashlib.sha256()
    for column in index.columns:
        for each in column.to_pylist():
            digest.update(each if isinstance(each, bytes) else str(each).encode())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class TermIndex:
    """The index of one Parquet file, mapped into memory: a lookup reads only the filters of its column."""

    table: pa.Table
    """A row for each row group: ``rows``, and a filter for each column."""

    @classmethod
    def open(cls, parquet: Path) -> TermIndex | None:
        """Open the index of a Parquet file; None if there is none or it cannot be read."""
        try:
            with pa.memory_map(str(terms_path(parquet))) as source, pa.ipc.open_file(source) as file:
                return cls(file.read_all())
        except (OSError, pa.ArrowException):
            return None

    def is_intact(self) -> bool:
        """Return whether all values are as they were written; reads the whole file."""
        return (self.table.schema.metadata or {}).get(_DIGEST, b"").decode() == _digest(self.table)

    @property
    def all_rows(self) -> list[tuple[int, int]]:
        """The result of ``matching_rows`` if the index rules out no row."""
        return self.matching_rows(All())

    def matching_rows(self, need: Need) -> list[tuple[int, int]]:
        """Return the ranges of rows that may meet a need: first and last row number, from 0, both included.

        Ranges consist of whole row groups; adjoining ones are one range. Rows outside of them certainly do not
        meet the need.
        """
        limits = np.concatenate(([0], np.cumsum(self.table.column(_ROWS).to_numpy())))
        kept = np.concatenate(([False], self._groups(need), [False]))
        turns = limits[np.flatnonzero(kept[1:] != kept[:-1])]
        return [(int(first), int(end) - 1) for first, end in zip(turns[::2], turns[1::2], strict=True)]

    # Row groups that may meet a need. A column without filters rules nothing out: it is younger than the file, or no
    # text.
    def _groups(self, need: Need) -> npt.NDArray[np.bool_]:
        every = np.ones(self.table.num_rows, bool)
        match need:
            case Term(column, term):
                return self._having(column, term) if column in self.table.column_names else every
            case All(parts):
                return functools.reduce(np.logical_and, map(self._groups, parts), every)
            case Either(parts):
                return functools.reduce(np.logical_or, map(self._groups, parts), ~every)

    def _having(self, column: str, term: str) -> npt.NDArray[np.bool_]:
        filters = self.table.column(column)
        return np.array([may_contain(memoryview(each.as_buffer()), term_hash(term)) for each in filters], bool)
