"""Snapshots of a store for readers, and the time at which the oldest open one began.

A file that no longer counts may be removed once all snapshots that began before have ended.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator

import duckdb

from driftline.errors import StoreBusy
from driftline.store.files.engine import transaction, translate_errors

__all__ = ["Snapshots"]

_POLL_SECONDS = 0.02


class Snapshots:
    """The open read transactions of a store; may be used from any thread."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._began: list[float] = []
        self._cursors: set[duckdb.DuckDBPyConnection] = set()

    @contextlib.contextmanager
    def open(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a cursor that sees the tables, and the names of the files that count, as of one moment.

        Raises ``StoreError`` for errors of DuckDB within the context.
        """
        with (
            self._tracked(),
            translate_errors(),
            self._cursor() as cursor,
            transaction(cursor),
        ):
            yield cursor

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with contextlib.closing(self._connection.cursor()) as cursor:
            self._cursors.add(cursor)
            try:
                yield cursor
            finally:
                self._cursors.discard(cursor)

    def drain(self, seconds: float) -> None:
        """Interrupt all queries, wait for their ends for so many seconds, and close the cursors that remain.

        Raises ``StoreBusy`` if a query does not end.
        """
        deadline = time.monotonic() + seconds
        # Again and again, for an interrupt has no effect on a query that begins just after it.
        while self._cursors and time.monotonic() < deadline:
            for cursor in tuple(self._cursors):
                cursor.interrupt()
            time.sleep(_POLL_SECONDS)
        for cursor in tuple(self._cursors):
            try:
                cursor.close()
            except duckdb.Error as error:
                raise StoreBusy("the store is opened again when its queries have ended") from error

    # Noted before the transaction begins: a file retired meanwhile must count as one that the snapshot may read.
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
        """Return when the oldest open snapshot began (``time.monotonic``); infinity if none is open."""
        with self._lock:
            return min(self._began, default=math.inf)
