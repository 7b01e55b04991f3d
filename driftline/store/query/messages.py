"""Requests that the process of a store answers, and their records."""

from __future__ import annotations

import msgspec

from driftline.store.query.hunt_store import Hunt
from driftline.store.query.row_query import RowQuery

__all__ = ["Backup", "Check", "Request", "Statistics", "TableStatistics"]


class TableStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of one table."""

    hot_rows: int
    """Rows in the database file."""
    cold_rows: int
    """Rows in Parquet files."""
    files: int
    """Number of Parquet files."""
    bytes: int
    """Bytes of the Parquet files."""
    first_day: str = ""
    """Earliest day with rows (UTC), as ``YYYY-MM-DD``; empty if there are no rows."""

    @property
    def rows(self) -> int:
        """Rows in the database file and in Parquet files."""
        return self.hot_rows + self.cold_rows


class Statistics(msgspec.Struct, frozen=True, tag="statistics"):
    """A request for ``TableStatistics`` of every table, by name."""


class Check(msgspec.Struct, frozen=True, tag="check"):
    """A request to read the whole store; answered with its problems, one sentence each."""


class Backup(msgspec.Struct, frozen=True, tag="backup"):
    """A request to copy the store into a new directory; answered with the bytes copied."""

    path: str
    """Absolute path of a directory that does not exist yet."""


# One type for the decoder, which tells them apart by their tags (``type`` in the JSON).
Request = RowQuery | Hunt | Statistics | Check | Backup
"""Request to the store's process: answered with rows, with rows or an ``Explanation``, and as the others say."""
