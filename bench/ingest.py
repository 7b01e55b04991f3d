"""Ingest on one core: events per second and bytes per event, against plain INSERT ... SELECT.

``python -m bench.ingest [ROWS]``. Times are processor time of one core, so that other processes and
waiting for the disk do not count (the last line has wall time as well). The rows are a realistic
mix, made once: execs, exits and library loads of thirty containers a node, with unique process keys
and command lines. In each round, ``store`` ingests batches of 2,000 rows, 25 to a commit as the
server's writer does under load; ``decode and check`` is the work of a server thread before that;
``plain`` inserts the same Arrow rows in one statement.
"""

from __future__ import annotations

import datetime
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from driftline import wire
from driftline.events import CloudProcessEvent
from driftline.store.files.database import HOT, Database
from driftline.store.files.dedup import Batch
from driftline.store.schema import create_statement

EVENTS = "CloudProcessEvents"
BATCH = 2_000
TOGETHER = 25
ROUNDS = 5
DAY = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
PROGRAMS = ("sh", "ls", "curl", "python3", "date", "cat", "grep", "sed", "psql", "node", "java", "pg_isready")
LIBRARIES = ("libc.so.6", "libssl.so.3", "libcrypto.so.3", "libz.so.1", "libm.so.6")


class Node:
    """Generator of one node's rows."""

    def __init__(self, name: str, choose: random.Random) -> None:
        self.name = name
        self.choose = choose
        self.containers = [self.container(number) for number in range(30)]
        self.hashes = {name: choose.randbytes(32).hex() for name in (*PROGRAMS, *LIBRARIES)}
        self.pid = 1000
        self.time = DAY

    def container(self, number: int) -> dict[str, Any]:
        """Return the columns that all events of one container share."""
        choose = self.choose
        app = f"app{number % 12}"
        return {
            "ContainerImageName": f"registry.example/{app}:1.{number % 5}",
            "KubernetesNamespace": f"ns{number % 6}",
            "KubernetesPodName": f"{app}-{choose.randrange(1 << 36):x}-{choose.randrange(1 << 20):x}",
            "KubernetesResource": f"Deployment/{app}",
            "ContainerName": "main",
            "ContainerId": choose.randbytes(32).hex(),
            "ImageDigest": f"sha256:{choose.randbytes(32).hex()}",
            "PodLabels": {"app": app, "pod-template-hash": f"{choose.randrange(1 << 36):x}"},
            "PodUid": str(uuid.UUID(int=choose.getrandbits(128))),
            "ClusterName": "prod",
            "NodeName": self.name,
        }

    def rows(self, count: int) -> list[CloudProcessEvent]:
        """Return the next ``count`` events, a multiple of 4."""
        return [event for _ in range(count // 4) for event in self.process()]

    # Events of one process: its exec, two library loads and its exit.
    def process(self) -> list[CloudProcessEvent]:
        choose = self.choose
        self.pid += choose.randrange(1, 5)
        program, shared = choose.choice(PROGRAMS), choose.choice(self.containers)
        key = {"ProcessKey": self.key(self.pid), "ParentProcessKey": self.key(self.pid - 1), "ProcessId": self.pid}
        shared = {
            **shared,
            **key,
            "ParentProcessName": "sh",
            "ParentProcessId": str(self.pid - 1),
            "ProcessName": program,
        }
        verdict = {
            "Drift": "no",
            "DriftOrigin": "image",
            "DriftContent": "identical",
            "DriftReason": "untouched image file",
        }
        command = f"{program} --request {choose.randrange(1 << 32):x} /var/data/{choose.randrange(1000)}"
        begun = self.event(
            shared | verdict, "ProcessCreated", program, "/usr/bin", ProcessCommandLine=command, DriftSubject="binary",
            ProcessCurrentWorkingDirectory="/app", AccountName="root", ProcessCreationTime=self.time,
            AdditionalFields={"Tty": False, "EffectiveUid": 0},
        )  # fmt: skip
        loads = [
            self.event(shared | verdict, "LibraryLoaded", name, "/usr/lib/x86_64-linux-gnu", DriftSubject="library")
            for name in choose.sample(LIBRARIES, 2)
        ]
        return [
            begun,
            *loads,
            self.event(shared, "ProcessEnded", program, "/usr/bin", ExitCode=choose.choice((0, 0, 0, 1))),
        ]

    def event(self, shared: dict[str, Any], action: str, name: str, folder: str, **more: Any) -> CloudProcessEvent:
        """Return one event, some time after the last one."""
        self.time += datetime.timedelta(microseconds=self.choose.randrange(20, 4000))
        digest = self.hashes[name] if action != "ProcessEnded" else ""
        return CloudProcessEvent(
            Timestamp=self.time, ActionType=action, FileName=name, FolderPath=folder, SHA256=digest,
            FileSize=len(digest) * 997 or None, **shared, **more,
        )  # fmt: skip

    def key(self, pid: int) -> str:
        """Return the process key of a pid."""
        return f"1f6a0c3d-{pid}-{pid * 1_000_003 % (1 << 40)}"


@dataclass(frozen=True)
class Load:
    """Rows of a run as batches, as encoded bodies, and as one table."""

    batches: list[Batch]
    bodies: list[bytes]

    @property
    def rows(self) -> int:
        return sum(batch.rows for batch in self.batches)

    def table(self) -> pa.Table:
        """Return all rows as one Arrow table."""
        return pa.concat_tables([batch.tables[EVENTS] for batch in self.batches])


def make(rows: int) -> Load:
    """Make ``rows`` rows of ``TOGETHER`` nodes, in batches."""
    choose = random.Random(1)
    nodes = [Node(f"node-{number:02}", choose) for number in range(TOGETHER)]
    batches = []
    for number in range(rows // BATCH):
        node = nodes[number % TOGETHER]
        first = number // TOGETHER * BATCH + 1
        batches.append(Batch(node.name, first, first, {EVENTS: wire.table(EVENTS, node.rows(BATCH))}))
    return Load(batches, [wire.encode(batch.tables) for batch in batches])


@contextmanager
def directory() -> Iterator[Path]:
    """Make a temporary directory on disk (/tmp may be in memory)."""
    path = Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def store(load: Load) -> tuple[float, dict[str, float]]:
    """Return the seconds for all batches through the store, and bytes per event hot and cold."""
    with directory() as path:
        database = Database(path)
        begun = time.process_time()
        for start in range(0, len(load.batches), TOGETHER):
            database.ingest(load.batches[start : start + TOGETHER])
        seconds = time.process_time() - begun
        database._connection.execute("CHECKPOINT")
        sizes = {"hot": (path / HOT).stat().st_size / load.rows}
        database.move_cold(DAY + datetime.timedelta(days=2))
        sizes["cold"] = sum(file.stat().st_size for file in path.rglob("*.parquet")) / load.rows
        database.close()
    return seconds, sizes


def decode(load: Load) -> float:
    """Return the seconds to decode all bodies and check the owner of their rows."""
    begun = time.process_time()
    for batch, body in zip(load.batches, load.bodies, strict=True):
        wire.check_owner(wire.decode(body, wire.Limits()), cluster="prod", node=batch.stream)
    return time.process_time() - begun


def plain(load: Load) -> float:
    """Return the seconds to insert the same rows with one INSERT ... SELECT of one Arrow table."""
    rows = load.table()
    with directory() as path, duckdb.connect(path / "plain.duckdb", config={"threads": 2}) as connection:
        connection.execute(create_statement(EVENTS))
        connection.register("rows", rows)
        begun = time.process_time()
        connection.execute(f"INSERT INTO {EVENTS} SELECT * FROM rows")
        return time.process_time() - begun


def main(rows: int) -> None:
    """Pin the process to one core, run all rounds and print rates, ratios and sizes."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    load = make(rows)
    begun = time.perf_counter(), time.process_time()
    stored, decoded, compared = [], [], []
    sizes: dict[str, float] = {}
    for _ in range(ROUNDS):
        seconds, sizes = store(load)
        stored.append(seconds)
        decoded.append(decode(load))
        compared.append(plain(load))
    print(f"{load.rows:,} rows in batches of {BATCH:,}, {TOGETHER} a commit, one core, medians of {ROUNDS} rounds")
    for name, times in (("store", stored), ("decode and check", decoded), ("plain INSERT ... SELECT", compared)):
        print(f"{name:24} {load.rows / statistics.median(times):10,.0f} events/s")
    both = load.rows / (statistics.median(stored) + statistics.median(decoded))
    print(f"{'decode, check and store':24} {both:10,.0f} events/s")
    ratios = [p / s for p, s in zip(compared, stored, strict=True)]
    whole = [p / (s + d) for p, s, d in zip(compared, stored, decoded, strict=True)]
    print(f"of plain: store {statistics.median(ratios):.2f}, with decoding {statistics.median(whole):.2f}")
    arrow, body = load.table().nbytes / load.rows, sum(map(len, load.bodies)) / load.rows
    wall, busy = time.perf_counter() - begun[0], time.process_time() - begun[1]
    print(f"bytes/event: Arrow {arrow:.0f}, wire {body:.1f}, hot {sizes['hot']:.1f}, cold {sizes['cold']:.1f}")
    print(f"the whole run took {wall:.0f} s, {busy:.0f} s of them on the processor")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500_000)
