"""Kill a process at chosen steps of chosen code, so that every crash of a test can be repeated.

A step is a call or a return, of Python and of C functions alike, in files whose path contains a given part.
DuckDB and the file system are behind C functions, so a process is killed before and after each of their calls.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["VARIABLE", "arm", "arm_from_environment", "kill_at_steps"]

VARIABLE = "DRIFTLINE_TEST_KILL"
"""Environment variable of a process to kill: ``PATH:STEP``."""


class Counter:
    """Counts the steps of all threads in files whose path contains ``path``; kills the process at one of them."""

    def __init__(self, path: str, kill_at: int = 0) -> None:
        self.steps = 0
        self._path = path
        self._kill_at = kill_at
        self._lock = threading.Lock()

    def __call__(self, frame: FrameType, _event: str, _argument: Any) -> None:
        if self._path in frame.f_code.co_filename:
            with self._lock:
                self.steps += 1
                if self.steps == self._kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)


def arm(path: str, step: int = 0) -> Counter:
    """Count the steps of this thread and of threads started from now on; kill this process at ``step``, if not 0."""
    counter = Counter(path, step)
    threading.setprofile(counter)
    sys.setprofile(counter)
    return counter


def arm_from_environment() -> None:
    """Arm as the environment says, or do nothing."""
    if chosen := os.environ.get(VARIABLE):
        path, step = chosen.rsplit(":", 1)
        arm(path, int(step))


def kill_at_steps(work: Callable[[], None], *, path: str, kills: int) -> int:
    """Run ``work`` once to count its steps, then ``kills`` times, each killed at another step spread over all.

    Every run is a child of this process, which must not have started threads. Returns how many were killed.
    """
    reading, writing = os.pipe()
    _child(work, path, 0, writing)
    total = int(os.read(reading, 32))
    steps = [1 + total * number // kills for number in range(kills)]
    return sum(os.WIFSIGNALED(_child(work, path, step, writing)) for step in steps)


def _child(work: Callable[[], None], path: str, step: int, result: int) -> int:
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    counter = arm(path, step)
    work()
    sys.setprofile(None)
    if not step:
        os.write(result, b"%d" % counter.steps)
    os._exit(0)
