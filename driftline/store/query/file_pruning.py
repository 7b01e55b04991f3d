"""Which of a table's files a hunt reads, and which rows of them: as few as can be told beforehand."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from driftline.kql.rewrite import ANY_ROW, Bounds, Need, Reach
from driftline.store.term_index.index import TermIndex

__all__ = ["DataFile", "prune_files"]


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file whose rows all lie within ``bounds``.

    ``rows`` are the first and last numbers, from 0, of stretches of rows; None stands for all.
    """

    path: Path
    bounds: Bounds
    rows: Sequence[tuple[int, int]] | None = None


def prune_files(files: Sequence[DataFile], reach: Reach) -> list[DataFile]:
    """Give the files with rows that a hunt may need, and which rows of them."""
    met = (file for file in files if _overlap(file.bounds, reach.bounds))
    return list(met if reach.need == ANY_ROW else _with_terms(met, reach.need))


def _with_terms(files: Iterator[DataFile], need: Need) -> Iterator[DataFile]:
    for file in files:
        index = TermIndex.open(file.path)
        rows = index.matching_rows(need) if index else None
        if index is None or rows == index.all_rows:
            yield file
        elif rows:
            yield dataclasses.replace(file, rows=rows)


def _overlap(one: Bounds, other: Bounds) -> bool:
    common = one.within(other)
    return common.first is None or common.last is None or common.first <= common.last
