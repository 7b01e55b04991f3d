"""The sender's side of the store: queues lines for the store's process, and never waits for it.

The sender keeps lines until the process confirms that they are stored. If the process dies, the
sender starts it again, and sends the lines after the last one that the new process reports as
stored. So a crash of the process neither loses nor repeats a row. Memory is bounded; lines beyond
it are dropped and counted.

The process that ships rows to a server (``driftline.sensor.shipping.process``) is started and fed
in the same way.
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
# The default of /proc/sys/fs/pipe-max-size, the most that an unprivileged process may set (pipe(7)).
_PIPE_BYTES = 1 << 20
_MAX_BYTES = 64 << 20
_BACK_OFF = (0.1, 0.5, 2.0, 10.0)
_CLOSE_SECONDS = 10.0
_log = logging.getLogger(__name__)


def start_writer(directory: Path, *, max_bytes: int = _MAX_BYTES) -> Writer:
    """Start the store's process on a directory and return the writer that feeds it.

    ``max_bytes`` bounds the lines that wait in memory. Raises ``StoreError`` if the process does not
    start, for instance because another process has the store open.
    """
    command = (sys.executable, "-P", "-m", "driftline.store.process.service", str(directory))
    return Writer(command, name=f"the store at {directory}", max_bytes=max_bytes)


class Writer:
    """A queue of lines for a process; ``write`` may be called from any thread.

    A thread sends the lines, a second one reads the process's confirmations.
    """

    def __init__(self, command: Sequence[str], *, name: str, max_bytes: int = _MAX_BYTES) -> None:
        """Start ``command``, with the id of this stream as its last argument; ``name`` names it in messages.

        The id is random, so that each writer has a sequence of its own. Raises ``StoreError`` if the
        process does not start.
        """
        self._command = command
        self._name = name
        self._stream = uuid.uuid4().hex
        self._max_bytes = max_bytes
        self._condition = threading.Condition()
        self._lines: deque[bytes] = deque()
        """Lines that are not known to be stored; the first has number ``_stored + 1``."""
        self._stored = 0
        self._sent = 0
        """Number of the last line written to the process."""
        self._bytes = 0
        self._is_closing = False
        self._has_ended = False
        """Whether the process has closed its output. It may still take input, which it will not store."""
        self.lost = 0
        """Lines dropped since the start."""
        self._process = self._start()
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """Id of the process as of now; it changes when the process is started again."""
        return self._process.pid

    def write(self, lines: list[bytes]) -> None:
        """Queue lines, each with its line break; a line that does not fit into ``max_bytes`` is dropped and counted."""
        with self._condition:
            for line in lines:
                if self._bytes + len(line) > self._max_bytes:
                    self.lost += 1
                    continue
                self._lines.append(line)
                self._bytes += len(line)
            self._condition.notify()

    def close(self) -> None:
        """Send the remaining lines, wait for their confirmation, and end the process.

        Waits up to ten seconds for each of these; lines not confirmed by then count as lost.
        """
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

    # The process first reports what it has stored of this stream: zero for a new one, or the last number before
    # it died. Lines after that number are sent again.
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
            self._has_ended = False
        self._acks = threading.Thread(target=self._read_acks, args=(self._stdout,), name="store-acks", daemon=True)
        self._acks.start()
        return process

    def _confirm(self, sequence: int) -> None:
        while self._stored < sequence and self._lines:
            self._bytes -= len(self._lines.popleft())
            self._stored += 1
        self._condition.notify_all()

    # The first number is read by ``_start``; this thread reads the others until the process ends.
    def _read_acks(self, source: IO[bytes]) -> None:
        with source:
            while len(data := source.read(_ACK_BYTES)) == _ACK_BYTES:
                with self._condition:
                    self._confirm(int.from_bytes(data, "little"))
        with self._condition:  # the process died: unconfirmed lines must be sent again
            if source is self._stdout:
                self._sent = self._stored
                self._has_ended = True
            self._condition.notify_all()

    def _run(self) -> None:
        while batch := self._next_batch():
            try:
                # The kernel may close the output of a killed process before its input: until then writes succeed.
                if self._has_ended:
                    raise BrokenPipeError("it has closed its output")
                self._stdin.write(b"".join(batch))
                self._stdin.flush()
            except OSError as error:
                _log.error("%s: its process is gone; starting it again: %s", self._name, error)
                self._restart()

    # Everything that waits goes out at once; the pipe's size bounds what the process gets before it reads.
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

    # Pauses grow, because a process that cannot start (a full disk, a damaged file) would fail again at once.
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
