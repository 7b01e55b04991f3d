"""Access of the server to the event store.

A server that takes in sensors owns the store: it opens the database itself, since DuckDB lets one process write a
file and no other process read it meanwhile (decision 003), and answers its own queries and hunts from it directly.
Other processes on the machine, such as ``driftline hunt --store``, ask on the store's socket. A server without
sensors reads a store that another process owns, or its files while no process owns them.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from driftline.errors import StoreBusy
from driftline.hunts.functions import ComposedHunt, SavedHunt
from driftline.store.files.database import Database
from driftline.store.process.protocol import BATCH_ROWS
from driftline.store.process.reader import RowStream, is_store, open_reader
from driftline.store.process.socket_server import SocketServer
from driftline.store.query.hunt_store import Hunt
from driftline.store.query.limits import Limits, Stop
from driftline.store.query.row_query import RowQuery
from driftline.store.query.translators import Translators

__all__ = ["Storage"]

_BUSY_SECONDS = 3.0
_RETRY_SECONDS = 0.1
T = TypeVar("T")


class Storage:
    """The event store in a directory, which may be created later. Any thread may use it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._owned: Database | None = None
        self._translators = Translators()
        self._empty = _EmptyStore()

    @contextlib.contextmanager
    def owned(self) -> Iterator[Database]:
        """Own the store during the block: create or open its database, and serve its socket; raises ``StoreError``."""
        with contextlib.ExitStack() as stack:
            stack.callback(self.close)
            database = Database(self._directory, translators=self._translators)
            stack.callback(database.close)
            service = SocketServer(database)
            stack.callback(service.close)
            self._owned = database
            stack.callback(self._disown)
            yield database

    def close(self) -> None:
        """End the processes that translate hunts."""
        self._translators.close()

    def _disown(self) -> None:
        self._owned = None

    def check(self) -> None:
        """Run a trivial query on a store that this process owns; raises ``StoreError`` if it does not work."""
        if self._owned:
            self._owned.check_alive()

    def select(self, query: RowQuery) -> pa.Table:
        """Answer a query; raises ``InvalidInput`` and ``StoreError``."""
        owned = self._owned
        return owned.select(query) if owned else _while_busy(lambda: self._select(query))

    def _select(self, query: RowQuery) -> pa.Table:
        with open_reader(self._directory, translators=self._translators) as reader:
            return reader.select(query)

    @contextlib.contextmanager
    def hunt(self, hunt: Hunt, *, stop: Stop) -> Iterator[RowStream]:
        """Run a hunt, whose rows are read a batch at a time during the block.

        ``stop`` ends the hunt from another thread. Raises ``InvalidQuery`` and ``StoreError``.
        """
        owned = self._owned or (None if is_store(self._directory) else self._empty.opened())
        if owned:
            rows = owned.hunt(hunt, stop=stop)
            yield RowStream(rows.schema, iter(rows.to_batches(BATCH_ROWS)))
            return
        with contextlib.ExitStack() as stack:
            reader = stack.enter_context(open_reader(self._directory, translators=self._translators))
            yield _while_busy(lambda: stack.enter_context(reader.stream(hunt, stop=stop)))

    def compose(self, text: str, saved: Mapping[str, SavedHunt], *, seconds: float, stop: Stop) -> ComposedHunt:
        """Put the saved hunts to which a hunt refers before its text, in a process that ends within ``seconds``.

        Raises ``InvalidQuery``, and ``StoreError`` if the hunt is stopped or its time is over.
        """
        return self._translators.compose(text, saved, limits=Limits(seconds=seconds), stop=stop)

    def check_saved(self, new: SavedHunt, others: Mapping[str, SavedHunt], *, seconds: float) -> None:
        """Validate a hunt before it is saved, in a process that ends within ``seconds``.

        Raises ``InvalidInput``, ``InvalidQuery``, and ``StoreError`` if the time is over.
        """
        self._translators.check(new, others, limits=Limits(seconds=seconds))


# Before the first sensor there is no store. Hunts then read empty tables, and fail on mistakes as ever.
class _EmptyStore:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._database: Database | None = None

    def opened(self) -> Database:
        with self._lock:
            if self._database is None:
                directory = Path(tempfile.mkdtemp(prefix="driftline-empty-"))
                self._database = Database(directory)
                weakref.finalize(self, _discard, self._database, directory)
            return self._database


def _discard(database: Database, directory: Path) -> None:
    database.close()
    shutil.rmtree(directory, ignore_errors=True)


# A process that has the files open and does not answer yet is starting or stopping: the query is repeated for 3 s.
def _while_busy(ask: Callable[[], T]) -> T:
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            return ask()
        except StoreBusy:
            if time.monotonic() > deadline:
                raise
        time.sleep(_RETRY_SECONDS)
