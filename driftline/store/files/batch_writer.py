"""The one writer of a fleet's rows: batches of many senders, committed together.

A commit waits for the disk however many rows it has. So all batches that arrive during one commit go
into the next. The bytes that wait are bounded: beyond the bound a batch is refused, and the
sender, which keeps it on its disk, sends it again later.
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
_GATHER_SECONDS = 0.05  # a commit of forty rows takes 5 ms of processor time, one of two thousand rows 12 ms
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    batch: Batch
    size: int
    """Bytes in memory."""
    stored: Future[int]
    """Number of new rows, once they are durable."""


class BatchWriter:
    """Takes batches from any thread and stores them in a thread of its own."""

    def __init__(self, database: Database, *, max_bytes: int = MAX_BYTES) -> None:
        """Start the writer; ``max_bytes`` bounds the batches that wait."""
        self._database = database
        self._max_bytes = max_bytes
        self._condition = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="batch-writer", daemon=True)
        self._thread.start()

    @property
    def waiting_bytes(self) -> int:
        """Bytes of the batches that wait to be stored."""
        return self._bytes

    def offer(self, batch: Batch) -> Future[int]:
        """Queue a batch; the future gives the number of its rows that were new, once they are durable.

        The future raises ``StoreError`` if the batch cannot be stored. Raises ``StoreOverloaded`` if the
        bytes that wait would pass the bound, or the writer is closed, and ``InvalidBatch`` for a stream
        with too many holes (``dedup.RANGES_MAX``).
        """
        self._database.check_stream(batch.stream)
        waiting = _Waiting(batch, batch.size, Future())
        with self._condition:
            # An empty queue takes any batch: one larger than the bound would be refused forever.
            if self._is_closing or (self._waiting and self._bytes + waiting.size > self._max_bytes):
                raise StoreOverloaded(f"{self._bytes} bytes already wait to be stored")
            self._waiting.append(waiting)
            self._bytes += waiting.size
            self._condition.notify()
        return waiting.stored

    def close(self) -> None:
        """Store the batches that wait, then stop."""
        with self._condition:
            self._is_closing = True
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        while group := self._next_group():
            self._store(group)
            with self._condition:
                self._bytes -= sum(waiting.size for waiting in group)

    # Once something waits, gather for a moment: a fleet's small batches then share one commit.
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

    # One sensor's bad batch must not keep out the rows of others: after a failure each batch is stored alone.
    def _store(self, group: Sequence[_Waiting]) -> None:
        try:
            stored = self._database.ingest([waiting.batch for waiting in group])
        except Exception as error:  # noqa: BLE001 (raised to the sender by its future; the writer must go on)
            if len(group) == 1:
                group[0].stored.set_exception(_as_store_error(error))
                return
            for waiting in group:
                self._store([waiting])
        else:
            for waiting, count in zip(group, stored, strict=True):
                waiting.stored.set_result(count)


def _as_store_error(error: Exception) -> StoreError:
    if isinstance(error, StoreError):
        return error
    _log.error("a batch could not be stored", exc_info=error)
    return StoreError(f"the batch could not be stored: {error}")
