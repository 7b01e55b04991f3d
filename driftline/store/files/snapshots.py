"""Reading a store as of one moment, and knowing since when somebody does."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator

import duckdb

from driftline.store.files.engine import transaction, translate_errors

__all__ = ["Snapshots"]


class Snapshots:
    """The transactions in which a store is read. May be used from any thread."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._began: list[float] = []

    @contextlib.contextmanager
    def open(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a cursor that sees the tables, and which files count, as of one moment."""
        with (
            self._tracked(),
            translate_errors(),
            contextlib.closing(self._connection.cursor()) as cursor,
            transaction(cursor),
        ):
            yield cursor

    @contextlib.contextmanager
    def _tracked(self) -> Iterator[None]:
        with self._lock:
            began = time.monotonic()
            self._began.append(began)
        try:
            yield
        finally:
            with self._lock:
                self._began.remove(began)

    def oldest_start(self) -> float:
        """Say when the oldest that is still open began, as of ``time.monotonic``; infinity if none is."""
        with self._lock:
            return min(self._began, default=math.inf)
