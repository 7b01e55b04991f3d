"""The sensor on the lab's containerd, and its rows about one container at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import lab as labs

POLICY = "rules:\n  - {name: everywhere, priority: 1, action: alert, severity: High}\n"
WAIT_SECONDS = 40.0

Row = dict[str, Any]


class Sensor:
    """A running ``driftline sensor --output json`` and the rows that it has printed."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._rows: list[Row] = []
        self._condition = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._condition:
                self._rows.append(json.loads(line))
                self._condition.notify_all()

    def join(self) -> None:
        """Wait until its output is read to the end."""
        self._thread.join(10)

    def rows(self) -> list[Row]:
        """Return all rows so far."""
        with self._condition:
            return list(self._rows)

    def wait_for(self, wanted: Callable[[Row], bool]) -> Row:
        """Return the first row that satisfies ``wanted``, waiting for it up to ``WAIT_SECONDS``."""
        deadline, seen = time.monotonic() + WAIT_SECONDS, 0
        with self._condition:
            while True:
                for row in self._rows[seen:]:
                    if wanted(row):
                        return row
                seen = len(self._rows)
                if not self._condition.wait(deadline - time.monotonic()):
                    pytest.fail(f"no such row within {WAIT_SECONDS} s")


@pytest.fixture(scope="session")
def sensor(lab: labs.Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sensor]:
    folder = tmp_path_factory.mktemp("sensor")
    policy = folder / "policy.yaml"
    policy.write_text(POLICY)
    with start_sensor(lab, folder, "--policy", str(policy)) as running:
        yield running


class start_sensor:  # noqa: N801 (used like a function)
    """Run a sensor for as long as the ``with`` statement lasts."""

    def __init__(self, lab: labs.Lab, folder: Path, *arguments: str, code: int = 0) -> None:
        self._code = code
        self._command = (
            sys.executable, "-m", "driftline.cli", "sensor", "--output", "json", "--runtime", str(lab.socket),
            "--images", str(folder / "images"), "--listen", "127.0.0.1:0", "--cluster", "test",
            *(() if "--state" in arguments else ("--state", str(folder / "state"))), *arguments,
        )  # fmt: skip

    def __enter__(self) -> Sensor:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self._process.stderr
        line = self._process.stderr.readline()
        if b"sensor started" not in line:
            pytest.fail((line + self._process.stderr.read()).decode())
        self._errors = threading.Thread(target=self._process.stderr.read, daemon=True)
        self._errors.start()
        self._running = Sensor(self._process)
        self._running.wait_for(lambda row: row["kind"] == "health")
        return self._running

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        code = self._process.wait(30)
        self._running.join()
        self._errors.join(10)
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe
            pipe.close()
        assert code == self._code


class Watched:
    """A container that the sensor watches."""

    def __init__(self, container: labs.LabContainer | labs.PlainContainer, sensor: Sensor) -> None:
        self.container = container
        self._sensor = sensor
        self._acts = 0

    def after(self, script: str, *, timeout: float = 30) -> list[Row]:
        """Run a script in the container; return all rows that it caused.

        Dropped programs run last, twice as many as the sensor has threads for verdicts: one program may overtake a
        file that the other thread is hashing; when all have their alerts, both threads have moved on. One runs first,
        since all that wait for the image's index are evaluated at once.
        """
        self._acts += 1
        last = [f"/tmp/.last-{self._acts}-{number}" for number in range(4)]
        first = [f"/tmp/.last-{self._acts}-first"]
        self.container.sh("".join(f"cp /opt/lab/true {path};" for path in first + last), timeout=timeout)
        self._run_dropped(first)
        since = len(self._sensor.rows())
        result = self.container.sh(script, timeout=timeout)
        self.output = result.stdout + result.stderr
        self._run_dropped(last)
        rows = [row for row in self._sensor.rows()[since:] if row.get("ContainerId") == self.container.id]
        return [row for row in rows if not row.get("FileName", "").startswith(".last-")]

    def _run_dropped(self, paths: list[str]) -> None:
        for path in paths:
            self.container.exec(path)
        for path in paths:
            self._sensor.wait_for(partial(self._is_alert_on, os.path.basename(path)))

    def _is_alert_on(self, name: str, row: Row) -> bool:
        is_own = row.get("ContainerId") == self.container.id
        return bool(row["kind"] == "alert" and is_own and row["FileName"] == name)

    def alerts(self, script: str, *, timeout: float = 30) -> list[tuple[str, str, str, str]]:
        """Run a script; return (path, subject, origin, content) of each alert, in order of time."""
        rows = [row for row in self.after(script, timeout=timeout) if row["kind"] == "alert"]
        return [said(row) for row in sorted(rows, key=lambda row: str(row["Timestamp"]))]


def said(row: Row) -> tuple[str, str, str, str]:
    """Return path, subject, origin and content of a row; for unverified content with the reason."""
    path = row["FolderPath"].rstrip("/") + "/" + row["FileName"]
    content = row["DriftContent"]
    why = f": {row['DriftReason']}" if content == "unverified" else ""
    return path, row["DriftSubject"], row["DriftOrigin"], content + why


@pytest.fixture
def watched(container: Callable[..., labs.LabContainer], sensor: Sensor) -> Callable[..., Watched]:
    """Start a container of an image that the sensor watches: ``watched("glibc").alerts("…")``."""

    def start(image: str = "glibc", **options: Any) -> Watched:
        started = container(image, **options)
        sensor.wait_for(lambda row: row.get("ContainerId") == started.id)
        return Watched(started, sensor)

    return start
