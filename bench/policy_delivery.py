"""How fast a policy reaches a fleet: 1,000 sensors in one process, each on its own connection.

One run, on this machine: a server process, a process of sensors that wait by long poll, and a
version put in force ``ROUNDS`` times. Printed are the seconds from the ``PUT``'s sending until half,
99 % and all of the sensors have the text, and until all their acknowledgements are stored; and how
long the fleet takes to come anew, as after a restart.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx

from tests.server import serving

SENSORS = 1000
ROUNDS = 5
CLUSTER = "bench"
TEXT = "rules:\n- name: Round {0}\n  priority: 1\n  action: alert\n"


def main() -> None:
    sensors = int(sys.argv[1]) if len(sys.argv) > 1 else SENSORS
    with tempfile.TemporaryDirectory() as folder, serving.serve(Path(folder), "--set", "log_level=WARNING") as served:
        made = served.admin.post("/tokens", json={"name": "fleet", "scopes": ["sensor"], "days": 1}).json()
        put(served.admin, 0)
        asyncio.run(run(served, made["token"], sensors))


def put(admin: httpx.Client, number: int) -> int:
    answer = admin.put(f"/policies/{CLUSTER}", json={"text": TEXT.format(number)})
    return int(answer.raise_for_status().json()["version"])


class Wire:
    """One kept connection that speaks just enough HTTP/1.1: a thousand full clients would be what is measured."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._address = (host, port)
        self._head = f"Host: {host}\r\nAuthorization: Bearer {token}\r\n"

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(*self._address)

    async def call(self, method: str, path: str, *, etag: str = "", body: bytes = b"") -> tuple[int, str, bytes]:
        lines = f"{method} /api/v1{path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n"
        lines += "Content-Type: application/json\r\n" if body else ""
        lines += f"If-None-Match: {etag}\r\n\r\n" if etag else "\r\n"
        self._writer.write(lines.encode() + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        content = await self._reader.readexactly(int(fields.get("content-length", 0)))
        return int(head[0].split()[1]), fields.get("etag", ""), content


class Fleet:
    """Sensors that wait, fetch and acknowledge, for ever."""

    def __init__(self, url: str, token: str, count: int) -> None:
        self.port = int(url.rpartition(":")[2])
        self.token = token
        self.count = count
        self.had: dict[int, list[float]] = {}
        self.acknowledged: dict[int, list[float]] = {}

    async def live(self, number: int) -> None:
        wire = Wire("127.0.0.1", self.port, self.token)
        await wire.open()
        me, etag = f"sensor=sensor-{number}&cluster={CLUSTER}&node=node-{number}", ""
        while True:
            status, tag, content = await wire.call("GET", f"/sensor/policy?{me}&wait=60", etag=etag)
            if status == 304:
                continue
            assert status == 200, content
            policy, etag = json.loads(content), tag
            version = policy["version"]
            self.had.setdefault(version, []).append(time.perf_counter())
            body = json.dumps({"name": policy["name"], "version": version}).encode()
            status, _, content = await wire.call("PUT", f"/sensor/policy?{me}", body=body)
            assert status == 204, content
            self.acknowledged.setdefault(version, []).append(time.perf_counter())

    async def wait_all(self, version: int) -> None:
        while len(self.acknowledged.get(version, ())) < self.count:
            await asyncio.sleep(0.01)


async def run(served: serving.Served, token: str, count: int) -> None:
    fleet = Fleet(served.url, token, count)
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
    had = sorted(moment - begun for moment in fleet.had[version])
    return had[len(had) // 2], had[int(len(had) * 0.99) - 1], had[-1], max(fleet.acknowledged[version]) - begun


if __name__ == "__main__":
    main()
