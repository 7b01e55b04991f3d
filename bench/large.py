"""A store of a hundred million events: its size, the server's start on it, the alerts page, some hunts.

``python -m bench.large [MILLIONS] [DIRECTORY]``. Thirty days of a realistic mix (``bench.ingest``) go through
the store's own writer and housekeeping, a slice of life again and again with other times and every
process key and command line its own; then ``driftline server`` is started on it, with thirty thousand
alerts (a sixth of them of distinct findings) in its state. A directory that is given is kept, and used again.
"""

from __future__ import annotations

import contextlib
import datetime
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa

from bench.ingest import DAY, EVENTS, make
from driftline.store.database import Database
from driftline.store.received import Batch
from tests.server import raising, serving

DAYS = 30
SLICE = 500_000
PART = 50_000
ALERTS = 30_000
OWN = ("ProcessKey", "ParentProcessKey", "ProcessCommandLine")
HUNTS = {
    "one hour, has and in~": """CloudProcessEvents | where Timestamp between (datetime(2026-11-10 10:00) .. 1h)
        | where ProcessCommandLine has "psql" and FileName in~ ("PSQL", "curl") | count""",
    "one day by program": """CloudProcessEvents | where Timestamp between (datetime(2026-11-10) .. 1d)
        | summarize count(), dcount(ContainerId) by FileName""",
    "thirty days, a file's hash": """CloudProcessEvents | where SHA256 == "ab" | count""",
    "thirty days, count by day": "CloudProcessEvents | summarize count() by bin(Timestamp, 1d)",
    "thirty days, has": 'CloudProcessEvents | where ProcessCommandLine has "nosuchterm" | count',
}


def shifted(rows: pa.Table, start: datetime.datetime, seconds: float, mark: str) -> pa.Table:
    """The same rows as of another time, spread over ``seconds``, with keys and commands of their own."""
    own = ", ".join(f"CASE {name} WHEN '' THEN '' ELSE {name} || '-{mark}' END AS {name}" for name in OWN)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        view = connection.from_arrow(rows)
        [(first, last)] = view.aggregate("min(epoch_us(Timestamp)), max(epoch_us(Timestamp))").fetchall()
        scale = seconds * 1e6 / (last - first)
        moment = f"{int(start.timestamp() * 1e6)} + CAST((epoch_us(Timestamp) - {first}) * {scale} AS BIGINT)"
        moved: pa.Table = view.project(f"* REPLACE ({own}, make_timestamptz({moment}) AS Timestamp)").to_arrow_table()
    return moved.cast(rows.schema)


def build(directory: Path, rows: int) -> None:
    """Fill a store with so many rows, the last day's in the hot table."""
    whole = make(SLICE).table().sort_by("Timestamp").combine_chunks()
    choose = random.Random(5)
    database = Database(directory)
    per_day = rows // DAYS // SLICE
    number = 1
    for back in range(DAYS - 1, -1, -1):
        day = DAY - datetime.timedelta(days=back)
        for part in range(per_day):
            seconds = 86_000 / per_day
            table = shifted(
                whole, day + datetime.timedelta(seconds=part * seconds), seconds, f"{choose.randrange(1 << 32):x}"
            )
            for start in range(0, SLICE, PART):
                piece = table.slice(start, PART)
                database.ingest([Batch("bench", number, number, {EVENTS: piece})])
                number += PART
        if back:
            database.move_cold((day + datetime.timedelta(days=1)).date())
            database.compact()
        print(f"{day:%Y-%m-%d}: {number:,} rows", flush=True)
    database.close()


def raise_alerts(directory: Path) -> None:
    """Put alerts into the store, whose tailer makes the server's of them."""
    choose = random.Random(6)
    alerts = (
        raising.alert(
            cluster=f"prod-{choose.randrange(6)}",
            image=f"shop/app{choose.randrange(50)}:1",
            sha256=f"{choose.randrange(100):064x}",
            ago=choose.random() * 6 * 86_400,
        )
        for _ in range(ALERTS)
    )
    raising.store(directory, alerts)


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


@contextlib.contextmanager
def kept(path: str) -> Iterator[Path]:
    if path:
        yield Path(path)
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield Path(folder)


def figures(served: serving.Served) -> None:
    """Print what people wait for."""
    count = serving.wait_until(lambda: _alerts(served), seconds=300)
    pages = [
        f"/alerts?limit=100&{it}"
        for it in ("", "status=new", "cluster=prod-3", "severity=High&q=app7", "status=resolved")
    ]
    times = sorted(timed(partial(served.admin.get, page)) for page in pages * 40)
    middle, high = (times[int(len(times) * part)] * 1e3 for part in (0.5, 0.95))
    print(f"alerts page ({count:,} alerts): median {middle:.0f} ms, p95 {high:.0f} ms")
    for name, query in HUNTS.items():
        took = [timed(partial(hunt, served, query)) for _ in range(3)]
        print(f"hunt, {name}: {statistics.median(took):.2f} s")


def hunt(served: serving.Served, query: str) -> Sequence[object]:
    return list(served.admin.post("/hunt", json={"query": query}, timeout=120).raise_for_status().json()["rows"])


def _alerts(served: serving.Served) -> int:
    found = 0
    cursor = ""
    while True:
        page = served.admin.get("/alerts", params={"limit": 1000, "cursor": cursor}).json()
        found += len(page["items"])
        cursor = page["next"]
        if not cursor:
            return found


def main(millions: float, path: str) -> None:
    with kept(path) as folder:
        store = folder / "store"
        if not store.exists():
            took = timed(lambda: build(store, int(millions * 1e6)))
            raise_alerts(store)
            print(f"built in {took:.0f} s")
        size = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
        begun = time.perf_counter()
        flags = ("--set", "log_level=WARNING", "--set", "retention_days=36500")
        with serving.serve(folder, *flags, sensors=True) as served:
            print(f"server ready after {time.perf_counter() - begun:.1f} s, on an empty store {empty_start():.1f} s")
            command = (sys.executable, "-m", "driftline.cli", "store", "stats", "--store", str(store))
            took = timed(lambda: subprocess.run(command, check=True))
            print(f"{size / 1e9:.2f} GB on disk; driftline store stats: {took:.1f} s")
            figures(served)


def empty_start() -> float:
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        with serving.serve(Path(folder), "--set", "log_level=WARNING", sensors=True):
            return time.perf_counter() - begun


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 100.0, sys.argv[2] if len(sys.argv) > 2 else "")
