"""What a hunt may cost, how it is stopped, and who is told of it."""

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

    ``memory`` and ``disk`` (for what does not fit into memory) are MiB, ``rows`` and ``size`` (MiB)
    bound the answer. A hunt that would pass one ends with an error, never with part of an answer,
    but for ``take``: more rows are not wanted, and ``run`` gives one more if there are.
    """

    memory: int = 2048
    threads: int = 2
    seconds: float = 60.0
    rows: int = 1_000_000
    size: int = 512
    disk: int = 4096
    take: int | None = None
    remaining: float | None = None
    """Of the ``seconds``, those that are left; None for all."""


class Stop:
    """Stops a hunt from another thread; one that has not begun yet does not begin."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._interrupt: Callable[[], None] | None = None
        self.reason = ""

    def stop(self, reason: str = "the hunt was cancelled") -> None:
        """Stop the hunt; its caller gets a ``StoreError`` with the reason."""
        with self._lock:
            self.reason = self.reason or reason
            if self._interrupt:
                self._interrupt()

    @contextlib.contextmanager
    def on_stop(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Let ``stop`` call ``interrupt`` from now on; raises ``StoreError`` if it was called before."""
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
    """One hunt as the audit trail has it. ``error`` is empty for one that was answered."""

    text: str
    began: datetime.datetime
    seconds: float
    tables: Sequence[str] = ()
    clusters: Sequence[str] | None = None
    """The clusters the caller may see; None for all."""
    rows: int = 0
    error: str = ""


OnHunt = Callable[[HuntRecord], None]


@dataclass(slots=True)
class _Told:
    tables: Sequence[str] = field(default=())
    rows: int = 0


@contextlib.contextmanager
def audit(text: str, on_hunt: OnHunt | None, clusters: Sequence[str] | None = None) -> Iterator[_Told]:
    """Tell ``on_hunt`` of a hunt when it ended, in whatever way."""
    told, began, start = _Told(), datetime.datetime.now(datetime.UTC), time.perf_counter()
    failure = "interrupted"
    try:
        yield told
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
                    tables=told.tables,
                    clusters=clusters,
                    rows=told.rows,
                    error=failure,
                )
            )


def run(connection: duckdb.DuckDBPyConnection, sql: str, limits: Limits, stop: Stop | None = None) -> pa.Table:
    """Run a hunt's SQL within its limits; raises ``StoreError``."""
    return run_in_time(lambda stop: _run(connection, sql, limits, stop), limits, stop)


# Who answers holds its thread until it ends; whoever waits here hears Ctrl-C and the clock.
def run_in_time(answer: Callable[[Stop], pa.Table], limits: Limits, stop: Stop | None = None) -> pa.Table:
    """Wait for an answer, and stop what makes it when its time is over; raises ``StoreError``."""
    stop, deadline = stop or Stop(), time.monotonic() + _left(limits)
    with ThreadPoolExecutor(1, "hunt") as pool:
        running = pool.submit(answer, stop)
        try:
            while not running.done():
                wait([running], timeout=WATCH_SECONDS)
                _watch(stop, deadline, limits)
        finally:
            while not running.done():  # Ctrl-C came
                stop.stop()
                wait([running], timeout=WATCH_SECONDS)
        return running.result()


def _left(limits: Limits) -> float:
    return limits.seconds if limits.remaining is None else limits.remaining


# DuckDB forgets an interrupt that comes before it begins, so it is said again.
def _watch(stop: Stop, deadline: float, limits: Limits) -> None:
    if time.monotonic() > deadline:
        stop.stop(f"the hunt took longer than {limits.seconds:g} s")
    elif stop.reason:
        stop.stop()


def _run(connection: duckdb.DuckDBPyConnection, sql: str, limits: Limits, stop: Stop) -> pa.Table:
    try:
        with stop.on_stop(connection.interrupt), connection.sql(sql).to_arrow_reader(BATCH_ROWS) as reader:
            return _collected(reader, limits)
    except (duckdb.Error, pa.ArrowException, OSError) as error:  # Arrow says OSError for an interrupt while reading
        raise errors.StoreError(stop.reason or _said(error, limits)) from error


def _collected(reader: pa.RecordBatchReader, limits: Limits) -> pa.Table:
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


def _said(error: Exception, limits: Limits) -> str:
    if isinstance(error, (duckdb.OutOfMemoryException, MemoryError)) or "Out of Memory" in str(error):
        return out_of_memory_message(limits)
    return f"the hunt failed: {error}"


def out_of_memory_message(limits: Limits) -> str:
    """Say that a hunt needs more memory than it may have."""
    return f"the hunt needs more than {limits.memory:,} MiB of memory; add a condition on Timestamp"
