"""Limits of a hunt, its cancellation, and its record for the audit trail.

DuckDB itself bounds memory, disk and threads (``query.environment`` sets them). This module adds the
time, the size of the answer, and ``Stop``, which cancels a hunt from another thread.
"""

from __future__ import annotations

import contextlib
import datetime
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from driftline import errors

__all__ = ["HuntRecord", "Limits", "OnHunt", "Stop", "audit", "out_of_memory_message", "run", "run_in_time"]

BATCH_ROWS = 50_000
WATCH_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one hunt.

    A hunt that reaches one ends with ``StoreError``, never with a part of its answer. ``take`` is the
    exception: the rows after it are not wanted.
    """

    memory: int = 2048
    """MiB of memory."""
    threads: int = 2
    """Threads of DuckDB."""
    seconds: float = 60.0
    """Time of the hunt in seconds, as messages name it."""
    rows: int = 1_000_000
    """Most rows of an answer."""
    size: int = 512
    """Most MiB of an answer."""
    disk: int = 4096
    """MiB of temporary files, for what does not fit into memory."""
    take: int | None = None
    """Rows that are wanted; ``run`` returns one more if there are more. None for all rows."""
    remaining: float | None = None
    """Seconds that are left of ``seconds``; None for all of them."""


class Stop:
    """Cancels a hunt from another thread, before it begins or while it runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._interrupt: Callable[[], None] | None = None
        self.reason = ""
        """Reason of the first ``stop``; empty while the hunt is not stopped."""

    def stop(self, reason: str = "the hunt was cancelled") -> None:
        """Stop the hunt; its caller gets a ``StoreError`` with the reason.

        May be called from any thread, and more than once: the first reason stays.
        """
        with self._lock:
            self.reason = self.reason or reason
            if self._interrupt:
                self._interrupt()

    @contextlib.contextmanager
    def on_stop(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Let ``stop`` call ``interrupt`` within the context.

        Raises ``StoreError`` if the hunt was stopped before.
        """
        with self._lock:
            self._raise_if_stopped()
            self._interrupt = interrupt
        try:
            yield
        finally:
            with self._lock:
                self._interrupt = None

    def _raise_if_stopped(self) -> None:
        if self.reason:
            raise errors.StoreError(self.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class HuntRecord:
    """One hunt as the audit trail records it."""

    text: str
    """The query."""
    began: datetime.datetime
    """Time at which it began, UTC."""
    seconds: float
    """Time that it took, in seconds."""
    tables: Sequence[str] = ()
    """Tables that it read; empty if it was refused before."""
    clusters: Sequence[str] | None = None
    """Clusters whose rows the caller may see; None for all."""
    rows: int = 0
    """Rows of its answer."""
    error: str = ""
    """Message of the error with which it ended; empty for a hunt that was answered."""


OnHunt = Callable[[HuntRecord], None]
"""Receives the record of each hunt when it has ended."""


@dataclass(slots=True)
class _Outcome:
    tables: Sequence[str] = field(default=())
    rows: int = 0


# Also for exceptions that are no DriftlineError, such as KeyboardInterrupt: then the error is "interrupted".
@contextlib.contextmanager
def audit(text: str, on_hunt: OnHunt | None, clusters: Sequence[str] | None = None) -> Iterator[_Outcome]:
    """Call ``on_hunt`` with the record of the hunt that runs within the context, however it ends.

    The context sets tables and rows of the outcome that it gets. ``on_hunt`` None records nothing.
    """
    outcome, began, start = _Outcome(), datetime.datetime.now(datetime.UTC), time.perf_counter()
    failure = "interrupted"
    try:
        yield outcome
        failure = ""
    except errors.DriftlineError as error:
        failure = str(error)
        raise
    finally:
        if on_hunt:
            on_hunt(
                HuntRecord(
                    text=text,
                    began=began,
                    seconds=time.perf_counter() - start,
                    tables=outcome.tables,
                    clusters=clusters,
                    rows=outcome.rows,
                    error=failure,
                )
            )


def run(connection: duckdb.DuckDBPyConnection, sql: str, limits: Limits, stop: Stop | None = None) -> pa.Table:
    """Run SQL on a connection within the limits of time and size, and return its rows.

    Raises ``StoreError`` when a limit is reached, the hunt is stopped, or DuckDB fails.
    """
    return run_in_time(lambda stop: _run(connection, sql, limits, stop), limits, stop)


# The work runs in a thread of its own, because DuckDB does not return to Python before it ends: so the caller's
# thread can watch the clock, and gets Ctrl-C, which Python handles in the main thread between bytecodes.
def run_in_time(work: Callable[[Stop], pa.Table], limits: Limits, stop: Stop | None = None) -> pa.Table:
    """Run ``work`` in a thread and return its rows; stop it when its time is over.

    ``work`` gets the ``Stop`` that it must obey. Raises ``StoreError`` if it fails or is stopped.
    """
    stop, deadline = stop or Stop(), time.monotonic() + _seconds(limits)
    with ThreadPoolExecutor(1, "hunt") as pool:
        running = pool.submit(work, stop)
        try:
            while not running.done():
                wait([running], timeout=WATCH_SECONDS)
                _watch(stop, deadline, limits)
        finally:
            while not running.done():  # an exception in this thread, such as Ctrl-C
                stop.stop()
                wait([running], timeout=WATCH_SECONDS)
        return running.result()


def _seconds(limits: Limits) -> float:
    return limits.seconds if limits.remaining is None else limits.remaining


# DuckDB forgets an interrupt that arrives before the query begins, so it is repeated until the query ends.
def _watch(stop: Stop, deadline: float, limits: Limits) -> None:
    if time.monotonic() > deadline:
        stop.stop(f"the hunt took longer than {limits.seconds:g} s")
    elif stop.reason:
        stop.stop()


def _run(connection: duckdb.DuckDBPyConnection, sql: str, limits: Limits, stop: Stop) -> pa.Table:
    try:
        with stop.on_stop(connection.interrupt), connection.sql(sql).to_arrow_reader(BATCH_ROWS) as reader:
            return _collect(reader, limits)
    except (duckdb.Error, pa.ArrowException, OSError) as error:  # Arrow raises OSError for an interrupt while reading
        raise errors.StoreError(stop.reason or _message(error, limits)) from error


# Batch by batch, so that an answer beyond the limits is dropped before it is whole in memory.
def _collect(reader: pa.RecordBatchReader, limits: Limits) -> pa.Table:
    batches, rows, size = [], 0, 0
    for batch in reader:
        batches.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if limits.take is not None and rows > limits.take:
            break
        if rows > limits.rows:
            raise errors.StoreError(f"the answer has more than {limits.rows:,} rows; add a 'summarize' or a 'take'")
        if size > limits.size << 20:
            raise errors.StoreError(f"the answer is larger than {limits.size:,} MiB; add a 'project' or a 'take'")
    found = pa.Table.from_batches(batches, reader.schema)
    return found if limits.take is None else found.slice(0, limits.take + 1)


def _message(error: Exception, limits: Limits) -> str:
    if isinstance(error, (duckdb.OutOfMemoryException, MemoryError)) or "Out of Memory" in str(error):
        return out_of_memory_message(limits)
    return f"the hunt failed: {error}"


def out_of_memory_message(limits: Limits) -> str:
    """Return the message for a hunt that needs more memory than its limit, with advice."""
    return f"the hunt needs more than {limits.memory:,} MiB of memory; add a condition on Timestamp"
