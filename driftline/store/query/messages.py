"""What may be asked of the process that owns a store."""

from __future__ import annotations

import msgspec

from driftline.store.query.hunt_store import Hunt
from driftline.store.query.row_query import RowQuery

__all__ = ["Backup", "Check", "Request", "Statistics", "TableStatistics"]


class TableStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one table in the hot and in the cold store, its Parquet files, their bytes and first day."""

    hot_rows: int
    cold_rows: int
    files: int
    bytes: int
    first_day: str = ""
    """The earliest day there is, as ``YYYY-MM-DD``; empty if there are no rows."""

    @property
    def rows(self) -> int:
        """All rows."""
        return self.hot_rows + self.cold_rows


class Statistics(msgspec.Struct, frozen=True, tag="statistics"):
    """How much there is: ``TableStatistics`` by table."""


class Check(msgspec.Struct, frozen=True, tag="check"):
    """Read everything; gives what is wrong, in words, one text for each."""


class Backup(msgspec.Struct, frozen=True, tag="backup"):
    """Copy the store into a directory that is not there yet; gives its bytes."""

    path: str


Request = RowQuery | Hunt | Statistics | Check | Backup
"""Answered with: a table, a table (or ``Explanation``), and what each of the others says."""
