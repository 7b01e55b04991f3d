"""Selection of the files of a table that a hunt must read, and of the row groups in them.

A hunt names bounds in time and terms that its rows must have (``kql.rewrite.Reach``). Files whose day
lies outside of the bounds are left out, then row groups whose Bloom filters rule out the terms
(``term_index``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from driftline.kql.rewrite import ANY_ROW, Bounds, Need, Reach

__all__ = ["DataFile", "prune_files"]


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file of a table."""

    path: Path
    """Absolute path."""
    bounds: Bounds
    """Time span within which all its rows lie."""
    rows: Sequence[tuple[int, int]] | None = None
    """First and last row number, from 0, of each range of rows to read; None for all rows."""


def prune_files(files: Sequence[DataFile], reach: Reach) -> list[DataFile]:
    """Return the files with rows that a hunt may need, each with the ranges of rows to read.

    The order of the files stays. A file without a readable term index is read whole.
    """
    met = (file for file in files if _overlap(file.bounds, reach.bounds))
    return list(met if reach.need == ANY_ROW else _with_terms(met, reach.need))


# ``rows`` stays None where the index rules nothing out, so that such files can be read together.
def _with_terms(files: Iterator[DataFile], need: Need) -> Iterator[DataFile]:
    from driftline.store.term_index.index import TermIndex  # noqa: PLC0415 -- only hunts for terms read Parquet here

    for file in files:
        index = TermIndex.open(file.path)
        rows = index.matching_rows(need) if index else None
        if index is None or rows == index.all_rows:
            yield file
        elif rows:
            yield dataclasses.replace(file, rows=rows)


# Bounds are inclusive; None is unbounded.
def _overlap(one: Bounds, other: Bounds) -> bool:
    common = one.within(other)
    return common.first is None or common.last is None or common.first <= common.last
