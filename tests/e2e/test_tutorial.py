"""Each command of the tutorial prints what the page shows."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial" / "first-alert.md"
SECONDS = 60.0
END = "--end of output--"


class Step(NamedTuple):
    """A command, and its output as the page shows it; ``…`` stands for any text."""

    command: str
    output: str

    @property
    def pattern(self) -> re.Pattern[str]:
        lines = [r"(?:[^\n]*\n)+?" if line == "…" else f"{_escape(line)}\n" for line in self.output.splitlines()]
        return re.compile("".join(lines))


def _escape(line: str) -> str:
    return "[^\n]*".join(re.escape(part) for part in line.split("…"))


def steps(page: str) -> Iterator[Step]:
    for block in re.findall(r"^```console\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        for command, output in re.findall(r"^# (.*)\n((?:(?!# ).*\n)*)", block, re.MULTILINE):
            yield Step(command, output)


class Shell:
    """A bash in which one command runs after another, as in a terminal."""

    def __init__(self) -> None:
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "200"}
        self._process = subprocess.Popen(
            ("bash",), cwd=ROOT, env=environment, text=True, bufsize=1, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line)

    def run(self, step: Step) -> str:
        """Run a step until its output is that of the page, or time is over; return the output.

        An alert is stored within a second of the execution, so commands that only read are repeated.
        """
        deadline = time.monotonic() + SECONDS
        reads = step.command.startswith(("driftline alerts", "driftline hunt"))
        output = self._run_once(step, deadline)
        while reads and not step.pattern.fullmatch(output) and time.monotonic() < deadline:
            output = self._run_once(step, deadline) or output
        return output

    def _run_once(self, step: Step, deadline: float) -> str:
        assert self._process.stdin
        self._process.stdin.write(f"{step.command}\necho '{END}'\n")
        output, ended = "", False
        while not (ended and (step.pattern.fullmatch(output) or not step.command.endswith("&"))):
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return output
            ended = ended or line == f"{END}\n"
            output += "" if line == f"{END}\n" else line
        return output

    def close(self) -> None:
        """End the shell and all that it started, also what holds its output open."""
        assert self._process.stdin
        self._process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(30)
        self._reader.join(30)
        assert self._process.stdout
        self._process.stdout.close()


def test_each_command_prints_what_the_page_shows() -> None:
    shell = Shell()
    try:
        for step in steps(PAGE.read_text()):
            output = shell.run(step)

            assert step.pattern.fullmatch(output), f"{step.command}\nprinted:\n{output}\nexpected:\n{step.output}"
    finally:
        shell.close()
        subprocess.run((sys.executable, "-m", "lab", "down"), cwd=ROOT, check=False)


def test_the_page_has_commands_with_output() -> None:
    assert sum(bool(step.output) for step in steps(PAGE.read_text())) >= 4
