"""The sender's side of the store: hands lines to the store's process, and never waits for it.

The process that ships to a server (``driftline.sensor.shipping.process``) is one more such process.

Lines are kept until the store says they are stored. If its process dies it is started again and
gets what it has not stored, by its own word; so a crash loses nothing, and doubles nothing. What
does not fit into the bounded memory is dropped and counted.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import subprocess
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from driftline.errors import StoreError

__all__ = ["Writer", "start_writer"]

_ACK_BYTES = 8
_PIPE_BYTES = 1 << 20  # /proc/sys/fs/pipe-max-size for everybody
_MAX_BYTES = 64 << 20
_BACK_OFF = (0.1, 0.5, 2.0, 10.0)
_CLOSE_SECONDS = 10.0
_log = logging.getLogger(__name__)


def start_writer(directory: Path, *, max_bytes: int = _MAX_BYTES) -> Writer:
    """Start the store's process on a directory; raises ``StoreError`` if it does not come up."""
    command = (sys.executable, "-P", "-m", "driftline.store.process.service", str(directory))
    return Writer(command, name=f"the store at {directory}", max_bytes=max_bytes)


class Writer:
    """Lines on their way to a process. ``write`` may be called from any thread."""

    def __init__(self, command: Sequence[str], *, name: str, max_bytes: int = _MAX_BYTES) -> None:
        """Start ``command``, with the id of this stream as its last argument; ``name`` is for messages."""
        self._command = command
        self._name = name
        self._stream = uuid.uuid4().hex
        self._max_bytes = max_bytes
        self._condition = threading.Condition()
        self._lines: deque[bytes] = deque()
        """What is not known to be stored; the first has number ``_stored + 1``."""
        self._stored = 0
        self._sent = 0
        """The number of the last line that was written to the process."""
        self._bytes = 0
        self._is_closing = False
        self.lost = 0
        """How many lines were dropped, ever."""
        self._process = self._start()
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """The id of the store's process as of now."""
        return self._process.pid

    def write(self, lines: list[bytes]) -> None:
        """Take lines, each with its end."""
        with self._condition:
            for line in lines:
                if self._bytes + len(line) > self._max_bytes:
                    self.lost += 1
                    continue
                self._lines.append(line)
                self._bytes += len(line)
            self._condition.notify()

    def close(self) -> None:
        """Send what is left, wait for it to be stored, and end the process."""
        with self._condition:
            self._is_closing = True
            self._condition.notify()
        self._thread.join(_CLOSE_SECONDS)
        with contextlib.suppress(OSError):
            self._stdin.close()
        try:
            self._process.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._acks.join(_CLOSE_SECONDS)
        self.lost += len(self._lines)

    def _start(self) -> subprocess.Popen[bytes]:
        command = (*self._command, self._stream)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pipesize=_PIPE_BYTES)
        assert process.stdin and process.stdout
        self._stdin, self._stdout = process.stdin, process.stdout
        first = self._stdout.read(_ACK_BYTES)
        if len(first) < _ACK_BYTES:
            process.wait()
            self._stdout.close()
            with contextlib.suppress(OSError):
                self._stdin.close()
            raise StoreError(f"{self._name} could not be opened")
        with self._condition:
            self._confirm(int.from_bytes(first, "little"))
            self._sent = self._stored
        self._acks = threading.Thread(target=self._read_acks, args=(self._stdout,), name="store-acks", daemon=True)
        self._acks.start()
        return process

    def _confirm(self, sequence: int) -> None:
        while self._stored < sequence and self._lines:
            self._bytes -= len(self._lines.popleft())
            self._stored += 1
        self._condition.notify_all()

    def _read_acks(self, source: IO[bytes]) -> None:
        with source:
            while len(data := source.read(_ACK_BYTES)) == _ACK_BYTES:
                with self._condition:
                    self._confirm(int.from_bytes(data, "little"))
        with self._condition:  # it died: what it was sent and has not stored must be sent again
            if source is self._stdout:
                self._sent = self._stored
            self._condition.notify_all()

    def _run(self) -> None:
        while batch := self._next_batch():
            try:
                self._stdin.write(b"".join(batch))
                self._stdin.flush()
            except OSError as error:
                _log.error("%s: its process is gone; starting it again: %s", self._name, error)
                self._restart()

    def _next_batch(self) -> list[bytes] | None:
        with self._condition:
            while True:
                unsent = self._stored + len(self._lines) - self._sent
                if unsent:
                    start = self._sent - self._stored
                    self._sent += unsent
                    return list(itertools.islice(self._lines, start, None))
                if self._is_closing and not self._lines:
                    return None
                self._condition.wait()

    def _restart(self) -> None:
        with contextlib.suppress(OSError):
            self._stdin.close()
        self._process.wait()
        for pause in itertools.chain(_BACK_OFF, itertools.repeat(_BACK_OFF[-1])):
            time.sleep(pause)
            try:
                self._process = self._start()
            except StoreError as error:
                _log.error("%s does not come up: %s", self._name, error)
                if self._is_closing:
                    return
            else:
                return
