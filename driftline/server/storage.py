"""The server's one way to the event store."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from driftline.errors import StoreBusy
from driftline.store.process.reader import RowStream, open_reader
from driftline.store.query.hunt_store import Hunt
from driftline.store.query.limits import Stop
from driftline.store.query.row_query import RowQuery

__all__ = ["Storage"]

_BUSY_SECONDS = 3.0
_NAP_SECONDS = 0.1
T = TypeVar("T")


class Storage:
    """The store in a directory, which may come into being later."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def select(self, query: RowQuery) -> pa.Table:
        """Answer a query; raises ``InvalidInput`` and ``StoreError``."""
        return _patiently(lambda: self._select(query))

    def _select(self, query: RowQuery) -> pa.Table:
        with open_reader(self._directory) as reader:
            return reader.select(query)

    @contextlib.contextmanager
    def hunt(self, hunt: Hunt, *, stop: Stop) -> Iterator[RowStream]:
        """Answer a hunt, whose rows are read meanwhile; raises ``InvalidQuery`` and ``StoreError``."""
        with contextlib.ExitStack() as stack:
            reader = stack.enter_context(open_reader(self._directory))
            yield _patiently(lambda: stack.enter_context(reader.stream(hunt, stop=stop)))


# A process that has the files and does not answer yet is starting or stopping.
def _patiently(ask: Callable[[], T]) -> T:
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            return ask()
        except StoreBusy:
            if time.monotonic() > deadline:
                raise
        time.sleep(_NAP_SECONDS)
