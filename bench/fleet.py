"""Simulated sensors against one real server, over mutual TLS: rows a second, their age, the server's memory.

``python -m bench.fleet [SENSORS] [ROWS_A_SECOND] [SECONDS] [INTERVAL]``. Each sensor has a certificate
and a connection of its own, sends what it has every so many seconds (1), and the next batch when the
last is acknowledged. A row's age is the time from its making to the acknowledgement of its batch, when it
is durable and can be asked for. A sensor's rows are made once and sent again and again under new
numbers, for the simulators share the processor with the server. At the end the store is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.ingest import EVENTS, Node
from driftline import wire
from driftline.server import pki
from driftline.store.reader import open_reader
from driftline.wire.protocol import FIRST, FLOOR, INGEST_PATH, TIME
from tests.server.gateways import Client, Served, new_key, now, request_for

LIMITS = httpx.Limits(keepalive_expiry=60)


@dataclass
class Tally:
    """What all sensors saw."""

    ages: list[float] = field(default_factory=list)
    rows: int = 0
    batches: int = 0
    refused: int = 0
    broken: int = 0
    memory: list[float] = field(default_factory=list)


def enrol(served: Served, count: int) -> list[Client]:
    """Sensors of a fleet, their certificates written where the server looks, which spares requests."""
    authority = pki.open_authority(served.directory / "pki", now=now())
    register = served.sensors
    key = new_key()
    found = []
    for number in range(count):
        identity = register.enrol_account(cluster="prod", node=f"node-{number:04}", subject="bench", now=now())
        issued = authority.sign_sensor(request_for(key), identity, now=now())
        register.add_certificate(identity, issued)
        found.append(Client(served, key, {"sensor": identity.sensor, "node": identity.node, "certificate": issued.pem}))
    return found


async def simulate(
    client: Client, tally: Tally, *, rows: float, every: float, end: float, choose: random.Random
) -> None:
    """Be one sensor until the end."""
    node = Node(client.said["node"], choose)
    count = max(4, int(rows * every) // 4 * 4)
    body = wire.encode({EVENTS: wire.table(EVENTS, node.rows(count))})
    number, due = 1, time.monotonic() + choose.random() * every
    async with httpx.AsyncClient(
        base_url=client.served.url, verify=client.context(), timeout=60, limits=LIMITS
    ) as http:
        while time.monotonic() < end:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            made, due = due - every, max(due + every, time.monotonic())
            await deliver(http, body, number, tally)
            number += count
            tally.rows += count
            tally.batches += 1
            tally.ages += [time.monotonic() - made - every * choose.random() for _ in range(count)]


async def deliver(http: httpx.AsyncClient, body: bytes, first: int, tally: Tally) -> None:
    """Send a batch until it is acknowledged."""
    while True:
        headers = {FIRST: str(first), FLOOR: str(first), TIME: str(time.time_ns() // 1000)}
        try:
            answer = await http.post(INGEST_PATH, content=body, headers=headers)
        except httpx.TransportError:
            tally.broken += 1
            continue
        if answer.is_success:
            return
        tally.refused += 1
        await asyncio.sleep(float(answer.headers.get("retry-after", "1")))


async def watch(pid: int, tally: Tally, end: float) -> None:
    """Note the server's memory each second, in MiB."""
    while time.monotonic() < end:
        status = Path(f"/proc/{pid}/status").read_text()
        tally.memory.append(int(status.partition("VmRSS:")[2].split()[0]) / 1024)
        await asyncio.sleep(1)


async def run(clients: Sequence[Client], rate: float, seconds: float, every: float, pid: int) -> Tally:
    tally = Tally()
    end = time.monotonic() + seconds
    choose = random.Random(3)
    work = [simulate(it, tally, rows=rate / len(clients), every=every, end=end, choose=choose) for it in clients]
    await asyncio.gather(watch(pid, tally, end), *work)
    return tally


def used(pid: int) -> float:
    """Give the processor time of a process, in seconds."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def main(sensors: int, rate: float, seconds: float, every: float) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, contextlib.ExitStack() as stack:
        served = stack.enter_context(contextlib.closing(Served(Path(folder))))
        clients = enrol(served, sensors)
        before = used(served.process.pid)
        tally = asyncio.run(run(clients, rate, seconds, every, served.process.pid))
        processor = used(served.process.pid) - before
        with open_reader(served.directory / "store") as reader:
            stored = reader.statistics()[EVENTS].rows
    ages = sorted(tally.ages)
    rates = f"{tally.rows / seconds:,.0f} rows/s in {tally.batches / seconds:,.0f} batches/s"
    print(f"{sensors:,} sensors, {seconds:.0f} s: {rates}")
    print(f"age of a row: median {ages[len(ages) // 2]:.2f} s, p99 {ages[len(ages) * 99 // 100]:.2f} s")
    print(f"told to come later: {tally.refused}, broken connections: {tally.broken}")
    print(f"acknowledged {tally.rows:,}, stored {stored:,}")
    third = max(1, len(tally.memory) // 3)
    parts = (sum(tally.memory[at : at + third]) / third for at in (0, third, 2 * third))
    print(
        f"server: {processor / seconds:.2f} cores, MiB by thirds of the run: {', '.join(f'{it:.0f}' for it in parts)}"
    )


if __name__ == "__main__":
    given = [float(it) for it in sys.argv[1:]]
    defaults = [1000.0, 10_000.0, 60.0, 1.0]
    fleet, *others = given + defaults[len(given) :]
    main(int(fleet), *others)
