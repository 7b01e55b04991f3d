"""A server whose disk fills up: it says so, goes on answering, and takes rows again when there is room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from driftline import wire
from tests.disks import Disk, needs_root, small_disk
from tests.server import sensors, serving
from tests.server.gateways import send
from tests.wire import making

EVENTS = "CloudProcessEvents"
pytestmark = [needs_root, pytest.mark.timeout(300)]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk", 60) as mounted:
        yield mounted


def noise(count: int = 100) -> bytes:
    rows = [making.event(os.urandom(4000).hex()) for _ in range(count)]
    return wire.encode({EVENTS: wire.table(EVENTS, rows)})


def test_a_full_disk_is_told_and_survived(disk: Disk) -> None:
    with serving.serve(disk.path, sensors=True) as served:

        def ready() -> httpx.Response:
            return httpx.get(f"{served.url}/readyz", verify=served.trust)

        def count() -> int:
            answer = served.admin.post("/hunt", json={"query": f"{EVENTS} | count"})
            return int(answer.raise_for_status().json()["rows"][0]["Count"])

        sensor = sensors.enrolled(served)
        assert send(sensor, noise(), 1).status_code == 200
        disk.fill(leave=4 << 20)  # below the tenth of the disk, above the eightieth
        serving.wait_until(lambda: ready().json()["checks"]["disk"].startswith("low: "))
        assert ready().status_code == 200
        serving.wait_until(
            lambda: any("disk is nearly full" in it["title"] for it in served.admin.get("/alerts").json()["items"])
        )
        first = 101
        while (answer := send(sensor, noise(), first)).status_code == 200:
            first += 100

        assert answer.status_code == 507
        serving.wait_until(lambda: ready().status_code == 503)
        told = ready().json()["checks"]
        assert "left" in told["disk"] + told["store"]
        assert count() == first - 1
        disk.empty()
        serving.wait_until(lambda: ready().status_code == 200)
        assert send(sensor, noise(), first).json()["stored"] == 100
        assert count() == first + 99
        (shown,) = served.admin.get("/sensors").json()["items"]
        assert shown["refused"] >= 1
        serving.wait_until(
            lambda: all(it["status"] == "resolved" for it in served.admin.get("/alerts").json()["items"])
        )
        log = (disk.path / "log").read_text()
        assert ("/api/v1/login" in log or "/api/v1/setup" in log, "POST /api/v1/ingest" in log) == (True, False)
