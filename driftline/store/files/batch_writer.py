"""The one writer of a fleet's rows: batches from many senders, committed together.

A commit waits for the disk, however many rows it has; so whatever came while the last one was
under way goes into the next. What waits is bounded in bytes: beyond that a batch is not taken,
and the sender, who has it on disk, comes again.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from driftline.errors import StoreError, StoreOverloaded
from driftline.store.files.database import Database
from driftline.store.files.dedup import Batch

__all__ = ["BatchWriter"]

MAX_BYTES = 128 << 20
_COMMIT_BYTES = 64 << 20
_GATHER_SECONDS = 0.05  # a commit of forty rows takes 5 ms of processor time, one of two thousand 12
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    batch: Batch
    size: int
    stored: Future[int]


class BatchWriter:
    """Takes batches from any thread and stores them in one of its own."""

    def __init__(self, database: Database, *, max_bytes: int = MAX_BYTES) -> None:
        self._database = database
        self._max_bytes = max_bytes
        self._condition = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    @property
    def waiting_bytes(self) -> int:
        """How many bytes wait to be stored."""
        return self._bytes

    def offer(self, batch: Batch) -> Future[int]:
        """Take a batch; the future gives how many of its rows were new, when they are durable.

        Raises ``StoreOverloaded`` if too much waits already, and ``InvalidBatch`` for a stream
        with too many holes.
        """
        self._database.check_stream(batch.stream)
        waiting = _Waiting(batch, batch.size, Future())
        with self._condition:
            if self._is_closing or (self._waiting and self._bytes + waiting.size > self._max_bytes):
                raise StoreOverloaded(f"{self._bytes} bytes wait to be stored already")
            self._waiting.append(waiting)
            self._bytes += waiting.size
            self._condition.notify()
        return waiting.stored

    def close(self) -> None:
        """Store what waits, and end."""
        with self._condition:
            self._is_closing = True
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        while group := self._next_group():
            self._store(group)
            with self._condition:
                self._bytes -= sum(waiting.size for waiting in group)

    def _next_group(self) -> list[_Waiting]:
        with self._condition:
            self._condition.wait_for(lambda: self._waiting or self._is_closing)
            self._condition.wait_for(lambda: self._bytes >= _COMMIT_BYTES or self._is_closing, _GATHER_SECONDS)
            group: list[_Waiting] = []
            size = 0
            while self._waiting and size < _COMMIT_BYTES:
                group.append(self._waiting.popleft())
                size += group[-1].size
            return group

    # What one sensor sent must not keep another's rows out: after a failure each is tried alone.
    def _store(self, group: Sequence[_Waiting]) -> None:
        try:
            stored = self._database.ingest([waiting.batch for waiting in group])
        except Exception as error:  # noqa: BLE001 (told to who sent it; the writer must live)
            if len(group) == 1:
                group[0].stored.set_exception(_told(error))
                return
            for waiting in group:
                self._store([waiting])
        else:
            for waiting, count in zip(group, stored, strict=True):
                waiting.stored.set_result(count)


def _told(error: Exception) -> StoreError:
    if isinstance(error, StoreError):
        return error
    _log.error("a batch could not be stored", exc_info=error)
    return StoreError(f"the batch could not be stored: {error}")
