"""The server's one way to the event store.

Files that nobody serves are opened for one question at a time: a second opening within the
process would share DuckDB's instance, whose configuration the first has locked.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pyarrow as pa

from driftline.errors import StoreBusy
from driftline.store.query import Query
from driftline.store.reader import open_reader

__all__ = ["Storage"]

_BUSY_SECONDS = 3.0
_NAP_SECONDS = 0.1


class Storage:
    """The store in a directory, which may come into being later."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()

    def select(self, query: Query) -> pa.Table:
        """Answer a query; raises ``InvalidInput`` and ``StoreError``."""
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                with self._lock, open_reader(self._directory) as reader:
                    return reader.select(query)
            except StoreBusy:  # a process has the files, and does not answer yet: it is starting or stopping
                if time.monotonic() > deadline:
                    raise
            time.sleep(_NAP_SECONDS)
