"""Processes that translate and compose hunts (``query.translation``), each killed when its hunt ends before it.

Translation takes some milliseconds as a rule, but an attacker can write a text that takes seconds, and Python's
interpreter lock would make all else in the server wait meanwhile. A process is used again for later hunts, because
starting one takes some 0.4 s of processor time.
"""

from __future__ import annotations

import contextlib
import pickle
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

from driftline.errors import InvalidInput, InvalidQuery, StoreError
from driftline.hunts.functions import ComposedHunt, SavedHunt, may_refer
from driftline.store.query.composition import Check, Composition
from driftline.store.query.limits import Limits, Stop
from driftline.store.query.translation import (
    HEAD,
    MESSAGE,
    Answer,
    Checked,
    CompiledHunt,
    Composed,
    Done,
    Failed,
    Lookup,
    Rows,
    Task,
    read_message,
)

__all__ = ["Translators"]

COMMAND = (sys.executable, "-P", "-m", "driftline.store.query.translation")
MOST_IDLE = 2  # processes that wait for the next hunt
AnyTask = Task | Composition | Check


class Translators:
    """Processes that translate, compose and check hunts; any thread may use them. Close them at the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._closed = False

    def translate(
        self, task: Task, lookup: Callable[[CompiledHunt], Rows], *, limits: Limits, stop: Stop
    ) -> CompiledHunt:
        """Translate a task within the remaining time of its hunt.

        Raises ``InvalidQuery``, and ``StoreError`` if the hunt is stopped or its time is over.
        """
        answer = self._answer(task, lookup, limits, stop)
        assert isinstance(answer, Done)
        return answer.hunt

    def compose(self, text: str, saved: Mapping[str, SavedHunt], *, limits: Limits, stop: Stop) -> ComposedHunt:
        """Put the saved hunts to which a hunt refers before its text; raises as ``translate``."""
        if not may_refer(text, saved):
            return ComposedHunt(text, ((0, ""),))
        answer = self._answer(Composition(text, saved), _no_rows, limits, stop)
        assert isinstance(answer, Composed)
        return ComposedHunt(answer.text, answer.starts)

    def check(self, new: SavedHunt, others: Mapping[str, SavedHunt], *, limits: Limits) -> None:
        """Validate a hunt before it is saved; ``others`` are the saved hunts that it may use, by name.

        Raises ``InvalidInput`` for a reserved name, and as ``translate``.
        """
        self._answer(Check(new, others), _no_rows, limits, Stop())

    def _answer(
        self, task: AnyTask, lookup: Callable[[CompiledHunt], Rows], limits: Limits, stop: Stop
    ) -> Done | Composed | Checked:
        deadline = time.monotonic() + (limits.seconds if limits.remaining is None else limits.remaining)
        with self._process() as process:
            process.send(task)
            while isinstance(message := process.receive(deadline, limits, stop), Lookup):
                process.send(lookup(message.hunt))
            process.reusable = message.reusable
        if isinstance(message, Failed):
            raise (InvalidQuery if message.query else InvalidInput)(*message.problems)
        return message

    # A process that did not answer its last task is killed.
    @contextlib.contextmanager
    def _process(self) -> Iterator[_Process]:
        with self._lock:
            process = self._idle.pop() if self._idle else None
        process = process or _Process()
        process.reusable = False
        try:
            yield process
        finally:
            with self._lock:
                keep = process.reusable and not self._closed and len(self._idle) < MOST_IDLE
                if keep:
                    self._idle.append(process)
            if not keep:
                process.close()

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            self._closed, idle, self._idle = True, self._idle, []
        for process in idle:
            process.close()


def _no_rows(_: CompiledHunt) -> Rows:
    return []


class _Process:
    def __init__(self) -> None:
        self.reusable = False
        self._process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin and self._process.stdout
        self._input: BinaryIO = self._process.stdin  # type: ignore[assignment]
        self._output: BinaryIO = self._process.stdout  # type: ignore[assignment]

    def send(self, value: AnyTask | Rows) -> None:
        data = pickle.dumps(value)
        try:
            self._input.write(HEAD.pack(len(data)) + data)
            self._input.flush()
        except OSError as error:
            raise StoreError("the process that translates hunts failed") from error

    def receive(self, deadline: float, limits: Limits, stop: Stop) -> Lookup | Answer:
        with stop.on_stop(self._process.kill):
            ready, _, _ = select.select([self._output], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                raise StoreError(f"the hunt took longer than {limits.seconds:g} s")
            try:
                message: Lookup | Answer = MESSAGE.decode(read_message(self._output))
            except EOFError as error:
                raise StoreError(stop.reason or "the process that translates hunts failed") from error
            return message

    def close(self) -> None:
        self._process.kill()
        with contextlib.suppress(OSError):  # what was not sent yet
            self._input.close()
        self._output.close()
        self._process.wait()
