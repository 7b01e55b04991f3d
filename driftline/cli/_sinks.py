"""Where the sensor's rows go: standard output, a store, both."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from driftline.events import Alert, Message, stream
from driftline.store.process.writer import Writer, start_writer

__all__ = ["Output", "opened"]

Output = Literal["table", "json", "none"]
_MAX_BYTES = 64 << 20


@contextmanager
def opened(
    output: Output, on_closed: Callable[[], None], *, store: Path | None, shipper: Callable[[], Writer] | None = None
) -> Iterator[Sequence[_Lines | _Alerts]]:
    """Give the sinks; ``on_closed`` is called when nobody reads standard output any more."""
    with ExitStack() as stack:
        lines = _Lines()
        for start in (partial(start_writer, store) if store else None, shipper):
            if start:
                writer = start()
                stack.callback(writer.close)
                lines.add(writer.write, partial(getattr, writer, "lost"))
        if output == "json":
            printer = _Printer(on_closed)
            stack.callback(printer.close)
            lines.add(printer.write, lambda: printer.lost)
        yield [lines, _Alerts(on_closed)] if output == "table" else [lines]


class _Lines:
    """Rows as lines of JSON, each encoded once for all who take them."""

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
    """Writes to standard output in a thread, so that who reads it slowly does not hold the sensor."""

    def __init__(self, on_closed: Callable[[], None]) -> None:
        self.lost = 0
        self._on_closed = on_closed
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._is_closing = False
        self._condition = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._thread.start()

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
        self._thread.join(5)

    def _run(self) -> None:
        while data := self._next():
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


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


class _Alerts:
    """Alerts for people, as they happen."""

    def __init__(self, on_closed: Callable[[], None]) -> None:
        from rich.console import Console  # noqa: PLC0415 (10 MB that only this output needs)

        from driftline.cli._shared.alert_text import render  # noqa: PLC0415

        self._console = Console(soft_wrap=True, highlight=False)
        self._render = render
        self._on_closed = on_closed

    def write(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if isinstance(message, Alert):
                self._print(message)

    def _print(self, alert: Alert) -> None:
        try:
            self._console.print(self._render(msgspec.json.decode(stream.encode(alert))))
        except BrokenPipeError:
            self._on_closed()

    def lost(self) -> int:
        return 0
