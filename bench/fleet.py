"""Simulated sensors against one real server over mutual TLS: rows per second, their age, the server's memory.

``python -m bench.fleet [SENSORS] [ROWS_PER_SECOND] [SECONDS] [INTERVAL] [KILLS]``. Each sensor has a
certificate and a connection of its own. It sends a batch every INTERVAL seconds (1), the next one
only after the acknowledgement of the last. The age of a row is the time from its creation to the
acknowledgement of its batch, when the row is durable and can be queried. A sensor's rows are made
once and sent repeatedly under new numbers, because the simulators share the processor with the
server. With KILLS the server is killed (SIGKILL) that often, at random moments, and started again.
Finally the rows of each node in the store are compared with those acknowledged to it. Memory is
printed for each minute, and as the slope of the second half of the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.ingest import EVENTS, Node
from driftline import wire
from driftline.server import pki
from driftline.server.state import sensors
from driftline.store.process.reader import open_reader
from driftline.store.query.hunt_store import Hunt
from driftline.wire.protocol import FIRST_HEADER, FLOOR_HEADER, INGEST_PATH, TIME_HEADER
from tests.server.gateways import Client, Served, new_key, now, request_for

LIMITS = httpx.Limits(keepalive_expiry=60)


@dataclass
class Tally:
    """Totals over all sensors."""

    ages: list[float] = field(default_factory=list)
    """Age of each row, in seconds."""
    rows: int = 0
    """Rows acknowledged."""
    batches: int = 0
    """Batches acknowledged."""
    refused: int = 0
    """Requests that the server refused with a time to retry after."""
    broken: int = 0
    """Requests whose connection broke."""
    acknowledged: Counter[str] = field(default_factory=Counter)
    """Acknowledged rows by node."""
    processor: float = 0.0
    """Processor seconds of all server processes; of a killed one, up to the last sample."""
    memory: list[tuple[float, float]] = field(default_factory=list)
    """Samples (minutes since the start, MiB), about one a second while a server runs."""


def enrol(served: Served, count: int) -> list[Client]:
    """Enrol ``count`` sensors directly in the server's files, which saves the requests."""
    authority = pki.open_authority(served.directory / "pki", now=now())
    state = served.state
    key = new_key()
    found = []
    for number in range(count):
        with state.writing() as session:
            identity = sensors.enrol_account(
                session, cluster="prod", node=f"node-{number:04}", subject="bench", now=now()
            )
            issued = authority.sign_sensor(request_for(key), identity, now=now())
            sensors.add_certificate(session, identity, issued)
        found.append(Client(served, key, {"sensor": identity.sensor, "node": identity.node, "certificate": issued.pem}))
    return found


async def simulate(
    client: Client, tally: Tally, *, rows: float, every: float, end: float, choose: random.Random
) -> None:
    """Run one sensor until ``end`` (monotonic time): ``rows`` rows per second in batches ``every`` seconds."""
    # The first batch is due at a random time of the interval, so that sensors do not send in step.
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
            tally.acknowledged[node.name] += count
            tally.batches += 1
            # The rows of a batch arise evenly over the interval before it was due.
            tally.ages += [time.monotonic() - made - every * choose.random() for _ in range(count)]


async def deliver(http: httpx.AsyncClient, body: bytes, first: int, tally: Tally) -> None:
    """Send a batch until it is acknowledged."""
    while True:
        headers = {FIRST_HEADER: str(first), FLOOR_HEADER: str(first), TIME_HEADER: str(time.time_ns() // 1000)}
        try:
            answer = await http.post(INGEST_PATH, content=body, headers=headers)
        except httpx.TransportError:
            tally.broken += 1
            await asyncio.sleep(random.uniform(0.2, 1.0))
            continue
        if answer.is_success:
            return
        tally.refused += 1
        await asyncio.sleep(float(answer.headers.get("retry-after", "1")))


async def watch(served: Served, tally: Tally, end: float) -> None:
    """Sample the server's memory and processor time each second."""
    seen = dict[int, float]()
    begun, first = time.monotonic(), used(served.process.pid)
    while time.monotonic() < end:
        with contextlib.suppress(OSError, IndexError):  # the server was just killed
            pid = served.process.pid
            tally.memory.append(((time.monotonic() - begun) / 60, resident(pid)))
            seen[pid] = used(pid)
        await asyncio.sleep(1)
    tally.processor = sum(seen.values()) - first


async def kill(served: Served, kills: int, end: float, choose: random.Random) -> None:
    """Kill the server at random moments, spread over the run, and start it again each time."""
    if not kills:
        return
    span = (end - time.monotonic()) / kills
    for number in range(kills, 0, -1):
        await asyncio.sleep(max(0.0, end - time.monotonic() - span * (number - choose.random() * 0.8)))
        served.kill()
        await asyncio.to_thread(served.start)


async def run(clients: Sequence[Client], rate: float, seconds: float, every: float, kills: int) -> Tally:
    """Run the simulation for ``seconds`` and return its totals."""
    tally = Tally()
    end = time.monotonic() + seconds
    choose = random.Random(3)
    served = clients[0].served
    work = [simulate(it, tally, rows=rate / len(clients), every=every, end=end, choose=choose) for it in clients]
    await asyncio.gather(watch(served, tally, end), kill(served, kills, end, choose), *work)
    return tally


def resident(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def used(pid: int) -> float:
    """Return the processor time of a process in seconds."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def stored_rows(directory: Path) -> Counter[str]:
    """Return the number of rows in the store by node."""
    with open_reader(directory) as reader:
        rows = reader.hunt(Hunt(text=f"{EVENTS} | summarize Rows = count() by NodeName"))
    return Counter({str(row["NodeName"]): row["Rows"] for row in rows.to_pylist()})


def print_memory(memory: Sequence[tuple[float, float]]) -> None:
    """Print the server's memory by minute, and its growth in the second half."""
    minutes = [[size for _, size in it] for _, it in itertools.groupby(memory, key=lambda sample: int(sample[0]))]
    print(f"server, MiB by the minute: {', '.join(f'{statistics.fmean(it):.0f}' for it in minutes)}")
    times, sizes = zip(*(sample for sample in memory if sample[0] > memory[-1][0] / 2), strict=True)
    slope = statistics.linear_regression(times, sizes).slope
    print(f"slope of the second half: {slope:+.1f} MiB a minute; peak {max(size for _, size in memory):.0f} MiB")


def main(sensors: int, rate: float, seconds: float, *, every: float, kills: int) -> None:
    """Start the server, simulate the fleet, and print rates, ages, losses and the server's resources."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, contextlib.ExitStack() as stack:
        served = stack.enter_context(contextlib.closing(Served(Path(folder))))
        tally = asyncio.run(run(enrol(served, sensors), rate, seconds, every, kills))
        stored = stored_rows(served.directory / "store")
    ages = sorted(tally.ages)
    rates = f"{tally.rows / seconds:,.0f} rows/s in {tally.batches / seconds:,.0f} batches/s"
    print(f"{sensors:,} sensors, {seconds:.0f} s: {rates}; load of the machine {os.getloadavg()[1]:.1f}")
    print(f"age of a row: median {ages[len(ages) // 2]:.2f} s, p99 {ages[len(ages) * 99 // 100]:.2f} s (aim 2)")
    print(f"refused with retry-after: {tally.refused}, kills: {kills}, broken connections: {tally.broken}")
    wrong = [node for node in tally.acknowledged | stored if tally.acknowledged[node] != stored[node]]
    print(f"acknowledged {tally.rows:,}, stored {stored.total():,}; nodes that differ: {len(wrong)} (aim 0)")
    print(f"server: {tally.processor / seconds:.2f} cores")
    print_memory(tally.memory)


if __name__ == "__main__":
    given = [float(it) for it in sys.argv[1:]]
    fleet, speed, length, pause, deaths = given + [1000.0, 10_000.0, 60.0, 1.0, 0.0][len(given) :]
    main(int(fleet), speed, length, every=pause, kills=int(deaths))
