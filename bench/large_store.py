"""A server with a large store and many alerts: size, start-up, alerts page, hunts, check, backup.

``python -m bench.large_store [MILLIONS] [ALERTS]`` (100, 50000). The rows are those of
``bench._events``, ten days as Parquet, registered as cold files of a store; made once, in
/var/tmp/driftline-bench/large. All requests go to a real ``driftline server``; the backup is made
while it runs.
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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pyarrow.parquet

from bench import _events
from driftline.server.state import State
from driftline.server.state.models import Alert
from driftline.store.files.backup import restore
from driftline.store.files.database import COLD, Database
from driftline.store.process.reader import Reader, open_reader
from driftline.store.query.hunt_store import Hunt
from tests.server import serving

MADE = Path("/var/tmp/driftline-bench/large")
STARTS = 3
PAGES = 180
LAST = datetime.datetime(2026, 11, 11, tzinfo=datetime.UTC)
HUNTS = {
    "count of all": "CloudProcessEvents | count",
    "drift by image, one day": "CloudProcessEvents | where Timestamp between (datetime(2026-11-05) .. 1d)"
    " | where Drift == 'yes' | summarize count() by ContainerImageName",
    "drift by pod, ten days": "CloudProcessEvents | where Drift == 'yes' | summarize count() by KubernetesPodName",
    "one container's last hour": "CloudProcessEvents | where Timestamp > datetime(2026-11-10T23:00:00)"
    " | where KubernetesPodName == 'cart-10' | take 100",
    "a word, one day": "CloudProcessEvents | where Timestamp between (datetime(2026-11-05) .. 1d)"
    " | where ProcessCommandLine has 'stratum' | take 100",
}
FILTERS: tuple[Mapping[str, str | int], ...] = (
    {},
    {"status": "new"},
    {"severity": "High", "cluster": "prod-1"},
    {"cluster": "prod-2", "namespace": "pay"},
    {"assignee": "ada"},
    {"since": "2026-11-10T00:00:00Z", "severity": "High"},
    {"image": "registry.example/cart:1", "status": "in progress"},
    {"text": "stratum"},
    {"text": "no such thing"},
)


def make_store(directory: Path, rows: int) -> None:
    """Make a store whose cold files are hard links to files that are made once."""
    database = Database(directory)
    for table, files in _events.make(MADE, rows).items():
        for number, path in enumerate(files):
            day = _events.FIRST + datetime.timedelta(days=number)
            file = f"{table}/date={day}/{uuid.uuid4().hex}.parquet"
            (directory / COLD / file).parent.mkdir(parents=True, exist_ok=True)
            (directory / COLD / file).hardlink_to(path)
            values = [table, day, file, pyarrow.parquet.read_metadata(path).num_rows, path.stat().st_size]
            database._connection.execute("INSERT INTO _cold VALUES (?, ?, ?, ?, ?)", values)
    database.close()


def make_alerts(data: Path, count: int) -> None:
    """Make alerts of ten days, most of them resolved."""
    data.mkdir(parents=True)
    state = State(f"sqlite:///{data / 'state.db'}")
    state.migrate()
    choose = random.Random(2)
    with state.writing() as session:
        session.add_all(alert(number, choose) for number in range(count))
    state.close()


def alert(number: int, choose: random.Random) -> Alert:
    """Return one random alert; nine of ten are resolved."""
    status = choose.choices(("resolved", "new", "in progress"), (90, 8, 2))[0]
    service = choose.choice(("cart", "catalog", "gateway", "ledger", "mail"))
    seen = LAST - datetime.timedelta(seconds=choose.randrange(10 * 86_400))
    digest = choose.randbytes(32).hex()
    return Alert(
        id=f"al-{number:08}", change=number + 1, open_key=None if status == "resolved" else f":{number}",
        group_key=str(number), title=f"Drift: {service} ran /tmp/{digest[:6]}", category="Execution",
        severity=choose.choice(("High", "Medium", "Low")), techniques=["T1204"], description="Not in the image.",
        service_source="driftline", detection_source="Drift", status=status,
        classification="true positive" if status == "resolved" else None, determination=None,
        assignee="ada" if status == "in progress" else None, suppressed_by=None, cluster=f"prod-{number % 3}",
        namespace=choose.choice(("shop", "pay")), pod=f"{service}-{number % 500}", workload=f"Deployment/{service}",
        image=f"registry.example/{service}:{number % 7}", image_digest=f"sha256:{digest}", sha256=digest,
        path=f"/tmp/{digest[:6]}", rule="default", entities=[], count=choose.randrange(1, 99), first_seen=seen,
        last_seen=seen, updated_at=seen,
    )  # fmt: skip


@contextmanager
def serving_store(directory: Path) -> Iterator[float]:
    """Run the server that owns the store; yield the seconds from its start until it is ready."""
    begun = time.perf_counter()
    process = serving.start(directory, "--set", "sensor_names=localhost")
    try:
        serving.wait_until(lambda: ready(directory), seconds=120)
        yield time.perf_counter() - begun
    finally:
        serving.stop(process)


def ready(directory: Path) -> bool:
    """Report whether the server answers ``/readyz`` with 200."""
    url = serving.address(directory).replace("http:", "https:")
    try:
        return httpx.get(f"{url}/readyz", verify=False).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Print the wall time of the block."""
    begun = time.perf_counter()
    yield
    print(f"{name:32} {time.perf_counter() - begun:9.2f} s", flush=True)


def measure_pages(client: httpx.Client) -> None:
    """Request pages of alerts with each filter in turn, follow each to its second page, print the times."""
    times: dict[str, list[float]] = {}
    for number in range(PAGES):
        wanted = FILTERS[number % len(FILTERS)]
        page = client.get("/alerts", params={**wanted, "limit": 100})
        times.setdefault(str(wanted), []).append(page.elapsed.total_seconds())
        if following := page.raise_for_status().json()["next"]:
            page = client.get("/alerts", params={**wanted, "limit": 100, "cursor": following}).raise_for_status()
            times[str(wanted)].append(page.elapsed.total_seconds())
    for name, each in times.items():
        print(f"  median {statistics.median(each) * 1000:6.1f} ms  {name}")
    every = sorted(second for each in times.values() for second in each)
    print(
        f"alerts page, of 100: p95 {every[len(every) * 95 // 100] * 1000:.0f} ms (aim 100), longest {every[-1]:.2f} s"
    )


def measure_store(reader: Reader, directory: Path) -> None:
    """Time hunts and maintenance of the whole store while the server runs."""
    for name, text in HUNTS.items():
        with timed(f"hunt: {name}"):
            reader.hunt(Hunt(text=text))
    steps: Mapping[str, Callable[[], object]] = {
        "store stats": reader.statistics,
        "store backup, the server running": lambda: reader.backup(directory / "backup"),
        "store restore": lambda: restore(directory / "backup", directory / "restored"),
        "store check": reader.check,
    }
    for name, step in steps.items():
        with timed(name):
            step()


def main(millions: int, count: int) -> None:
    """Make store and alerts, measure the server with them, and remove them."""
    directory = Path(tempfile.mkdtemp(dir="/var/tmp/driftline-bench"))
    try:
        make_store(directory / "store", millions * 1_000_000)
        make_alerts(directory / "data", count)
        with open_reader(directory / "store") as reader:
            found = reader.statistics().values()
        rows, size = sum(it.rows for it in found), sum(it.bytes for it in found)
        print(f"{rows:,} rows, {size / 1e9:.2f} GB, {size / rows:.1f} bytes a row (aim 40); {count:,} alerts")
        starts = []
        for _ in range(STARTS):
            with serving_store(directory) as seconds:
                starts.append(seconds)
        print(f"start to ready: median {statistics.median(starts):.2f} s, longest {max(starts):.2f} s")
        (directory / "log").unlink()  # it contains the setup tokens of earlier starts
        with serving.serve(directory) as served:
            measure_pages(served.admin)
        with serving_store(directory), open_reader(directory / "store") as reader:
            measure_store(reader, directory)
        print(f"load of the machine meanwhile {os.getloadavg()[1]:.1f}")
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    given = [int(it) for it in sys.argv[1:]]
    main(*(given + [100, 50_000][len(given) :]))
