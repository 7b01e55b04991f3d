"""Time until a policy reaches a fleet of 1,000 sensors in one process, each with its own certificate.

One run, on this machine: a server process, a process of sensors that wait by long poll, and
``ROUNDS`` new versions. Printed are the seconds from sending the ``PUT`` until half, 99 % and all of
the sensors have the text, and until all acknowledgements are stored; and the time for the whole
fleet to connect and fetch, as after a restart.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from driftline.server import pki
from driftline.server.state import sensors
from tests.server import serving
from tests.server.gateways import new_key, open_state, request_for, write_pair

SENSORS = 1000
ROUNDS = 5
CLUSTER = "bench"
TEXT = "rules:\n- name: Round {0}\n  priority: 1\n  action: alert\n"


def main() -> None:
    """Start the server, enrol the sensors and run all rounds."""
    sensors = int(sys.argv[1]) if len(sys.argv) > 1 else SENSORS
    with (
        tempfile.TemporaryDirectory() as folder,
        serving.serve(Path(folder), "--set", "log_level=WARNING", sensors=True) as served,
    ):
        put(served.admin, 0)
        asyncio.run(run(served, [enrolled(served, number) for number in range(sensors)]))


def put(admin: httpx.Client, number: int) -> int:
    """Save a new version of the policy and return its number."""
    answer = admin.put(f"/policies/{CLUSTER}", json={"text": TEXT.format(number)})
    return int(answer.raise_for_status().json()["version"])


def enrolled(served: serving.Served, number: int) -> ssl.SSLContext:
    """Enrol a sensor directly in the server's files; the requests of enrolment are not measured."""
    now = datetime.datetime.now(datetime.UTC)
    authority, state = pki.open_authority(served.data / "pki", now=now), open_state(served.data)
    key = new_key()
    with state.writing() as session:
        identity = sensors.enrol_account(session, cluster=CLUSTER, node=f"node-{number}", subject="bench", now=now)
        issued = authority.sign_sensor(request_for(key), identity, now=now)
        sensors.add_certificate(session, identity, issued)
    context = ssl.create_default_context(cafile=str(served.data / "pki" / "ca.pem"))
    context.load_cert_chain(write_pair(served.data / f"{number}.pem", issued.pem, key))
    return context


class Wire:
    """Kept-alive connection with a minimal HTTP/1.1 client.

    A thousand full clients in one process would take more time than the server that is measured.
    """

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._port = port
        self._context = context

    async def open(self) -> None:
        """Connect with TLS and the sensor's certificate."""
        self._reader, self._writer = await asyncio.open_connection("localhost", self._port, ssl=self._context)

    async def call(self, method: str, path: str, *, etag: str = "", body: bytes = b"") -> tuple[int, str, bytes]:
        """Send a request; return status, ETag and body of the response."""
        lines = f"{method} /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        lines += "Content-Type: application/json\r\n" if body else ""
        lines += f"If-None-Match: {etag}\r\n\r\n" if etag else "\r\n"
        self._writer.write(lines.encode() + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        content = await self._reader.readexactly(int(fields.get("content-length", 0)))
        return int(head[0].split()[1]), fields.get("etag", ""), content


class Fleet:
    """Sensors that wait for, fetch and acknowledge policies until cancelled."""

    def __init__(self, url: str, contexts: Sequence[ssl.SSLContext]) -> None:
        self.port = int(url.rpartition(":")[2])
        self.contexts = contexts
        self.had: dict[int, list[float]] = {}
        self.acknowledged: dict[int, list[float]] = {}

    async def live(self, number: int) -> None:
        """Run one sensor: wait for a policy, record its arrival, acknowledge it, without end."""
        wire = Wire(self.port, self.contexts[number])
        await wire.open()
        etag = ""
        while True:
            status, tag, content = await wire.call("GET", "/sensor/policy?wait=60", etag=etag)
            if status == 304:
                continue
            assert status == 200, content
            policy, etag = json.loads(content), tag
            version = policy["version"]
            self.had.setdefault(version, []).append(time.perf_counter())
            body = json.dumps({"name": policy["name"], "version": version}).encode()
            status, _, content = await wire.call("PUT", "/sensor/policy", body=body)
            assert status == 204, content
            self.acknowledged.setdefault(version, []).append(time.perf_counter())

    async def wait_all(self, version: int) -> None:
        """Wait until every sensor has acknowledged ``version``."""
        while len(self.acknowledged.get(version, ())) < len(self.contexts):
            await asyncio.sleep(0.01)


async def run(served: serving.Served, contexts: Sequence[ssl.SSLContext]) -> None:
    """Start the fleet and print the times of all rounds."""
    fleet, count = Fleet(served.url, contexts), len(contexts)
    tasks = [asyncio.create_task(fleet.live(number)) for number in range(count)]
    begun = time.perf_counter()
    await fleet.wait_all(1)
    print(f"{count} sensors fetch at once, connections and all: {time.perf_counter() - begun:.2f} s")
    rounds = []
    for number in range(1, ROUNDS + 1):
        await asyncio.sleep(2)  # all wait again
        begun = time.perf_counter()
        version = await asyncio.to_thread(put, served.admin, number)
        await fleet.wait_all(version)
        rounds.append(figures(fleet, version, begun))
    for name, values in zip(("half", "99 %", "all", "all acknowledged"), zip(*rounds, strict=True), strict=True):
        print(f"{name:>17}: median {statistics.median(values):.2f} s, worst {max(values):.2f} s of {ROUNDS}")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def figures(fleet: Fleet, version: int, begun: float) -> tuple[float, float, float, float]:
    """Return the seconds until half, 99 % and all sensors have the version, and until all acknowledged it."""
    had = sorted(moment - begun for moment in fleet.had[version])
    return had[len(had) // 2], had[int(len(had) * 0.99) - 1], had[-1], max(fleet.acknowledged[version]) - begun


if __name__ == "__main__":
    main()
