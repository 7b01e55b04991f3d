"""Sinks of the sensor's rows: an event store, the shipper to a server, standard output.

Every row is encoded as one line of JSON (``events.stream``), once for all sinks that take lines. A sink never
blocks the sensor's loop: the writer processes and the printer have bounded queues, and count what does not fit.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from driftline.events import Alert, Message, stream
from driftline.store.process.writer import Writer, start_writer

__all__ = ["PrintAlert", "Sink", "open_sinks"]

PrintAlert = Callable[[Alert], None]
"""Prints one alert to standard output; may raise ``BrokenPipeError``."""

_MAX_BYTES = 64 << 20
"""Bytes that wait for a slow reader of standard output; further rows are counted as lost."""
_CLOSE_SECONDS = 5.0
"""Seconds that ``close`` waits for standard output to take the remaining rows."""


class Sink(Protocol):
    """A destination of rows."""

    def write(self, messages: Sequence[Message]) -> None:
        """Take rows, in order, without blocking for long."""

    def lost(self) -> int:
        """Return the number of rows that were dropped since the start."""


@contextmanager
def open_sinks(
    on_closed: Callable[[], None],
    *,
    store: Path | None = None,
    shipper: Callable[[], Writer] | None = None,
    print_rows: bool = False,
    print_alert: PrintAlert | None = None,
) -> Iterator[Sequence[Sink]]:
    """Open the sinks for the time of a ``with`` block; at its end they are flushed and closed.

    ``store`` is the directory of an event store to write to, ``shipper`` starts the process that ships to a
    server. ``print_rows`` writes every row to standard output, as a line of JSON; ``print_alert`` is called for
    each alert. ``on_closed`` is called, from any thread, once standard output has no reader any more.
    Raises ``StoreError`` if a process does not start.
    """
    with ExitStack() as stack:
        lines = _LineSink()
        sinks: list[Sink] = [lines]
        for start in (partial(start_writer, store) if store else None, shipper):
            if start:
                writer = start()
                stack.callback(writer.close)
                lines.add(writer.write, partial(getattr, writer, "lost"))
        if print_rows:
            printer = _Printer(on_closed)
            stack.callback(printer.close)
            lines.add(printer.write, lambda: printer.lost)
        if print_alert:
            sinks.append(_AlertSink(print_alert, on_closed))
        yield sinks


class _LineSink:
    # Encodes each row once, for all writers of lines.

    def __init__(self) -> None:
        self._targets: list[Callable[[list[bytes]], None]] = []
        self._losses: list[Callable[[], int]] = []

    def add(self, write: Callable[[list[bytes]], None], lost: Callable[[], int]) -> None:
        self._targets.append(write)
        self._losses.append(lost)

    def write(self, messages: Sequence[Message]) -> None:
        if not self._targets:
            return
        lines = [stream.encode(message) for message in messages]
        for write in self._targets:
            write(lines)

    def lost(self) -> int:
        return sum(lost() for lost in self._losses)


class _Printer:
    # Writes to standard output in a thread, so that a slow reader does not block the sensor's loop.

    def __init__(self, on_closed: Callable[[], None]) -> None:
        self.lost = 0
        self._on_closed = on_closed
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._is_closing = False
        self._condition = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._thread.start()

    # Never blocks: rows beyond _MAX_BYTES are dropped and counted.
    def write(self, lines: list[bytes]) -> None:
        with self._condition:
            for line in lines:
                if self._bytes > _MAX_BYTES:
                    self.lost += 1
                else:
                    self._lines.append(line)
                    self._bytes += len(line)
            self._condition.notify()

    def close(self) -> None:
        with self._condition:
            self._is_closing = True
            self._condition.notify()
        self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while data := self._next():  # empty once the printer closes and nothing waits
            try:
                _write_all(1, data)
            except OSError:
                self._on_closed()
                return

    def _next(self) -> bytes:
        with self._condition:
            while not self._lines and not self._is_closing:
                self._condition.wait()
            data = b"".join(self._lines)
            self._lines.clear()
            self._bytes = 0
            return data


# write(2) may take only a part, for example into a pipe.
def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


class _AlertSink:
    # Prints alerts and skips all other rows.

    def __init__(self, print_alert: PrintAlert, on_closed: Callable[[], None]) -> None:
        self._print_alert = print_alert
        self._on_closed = on_closed

    def write(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if isinstance(message, Alert):
                self._print(message)

    def _print(self, alert: Alert) -> None:
        try:
            self._print_alert(alert)
        except BrokenPipeError:
            self._on_closed()

    def lost(self) -> int:
        return 0
