"""Which of a table's files a hunt reads, and which rows of them: as few as can be told beforehand."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from driftline.kql.rewrite import ANY_ROW, Bounds, Need, Reach
from driftline.store.term_index.index import TermIndex

__all__ = ["Part", "parts_within"]


@dataclass(frozen=True, slots=True)
class Part:
    """A Parquet file whose rows all lie within ``bounds``.

    ``rows`` are the first and last numbers, from 0, of stretches of rows; None stands for all.
    """

    path: Path
    bounds: Bounds
    rows: Sequence[tuple[int, int]] | None = None


def parts_within(parts: Sequence[Part], reach: Reach) -> list[Part]:
    """Give the files with rows that a hunt may need, and which rows of them."""
    met = (part for part in parts if _meet(part.bounds, reach.bounds))
    return list(met if reach.need == ANY_ROW else _having(met, reach.need))


def _having(parts: Iterator[Part], need: Need) -> Iterator[Part]:
    for part in parts:
        index = TermIndex.open(part.path)
        rows = index.wanted(need) if index else None
        if index is None or rows == index.all_rows:
            yield part
        elif rows:
            yield dataclasses.replace(part, rows=rows)


def _meet(one: Bounds, other: Bounds) -> bool:
    common = one.within(other)
    return common.first is None or common.last is None or common.first <= common.last
