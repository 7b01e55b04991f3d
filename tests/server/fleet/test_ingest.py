"""Ingest over HTTPS: batches are stored once, rows of other nodes and invalid batches are refused."""

from __future__ import annotations

import datetime
import os
import signal
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftline import wire
from driftline.events import Record
from driftline.store.process.reader import open_reader
from driftline.store.query.row_query import RowQuery
from tests.server.gateways import Served, now, send
from tests.wire import making

EVENTS = "CloudProcessEvents"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    running = Served(tmp_path_factory.mktemp("server"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def http(served: Served) -> Iterator[httpx.Client]:
    with served.enrolled("n").http() as client:
        yield client


def encoded(rows: dict[str, list[Record]]) -> bytes:
    return wire.encode({name: wire.table(name, items) for name, items in rows.items()})


def names(served: Served, prefix: str) -> list[str]:
    served.stop()
    try:
        with open_reader(served.directory / "store") as reader:
            rows = reader.select(RowQuery(table=EVENTS, order="FileName", limit=1_000_000))
        return [name for name in map(str, rows["FileName"].to_pylist()) if name.startswith(prefix)]
    finally:
        served.start()


def test_replays_and_overlaps_are_stored_once(served: Served, http: httpx.Client) -> None:
    one, two = wire.encode(making.events("r1", "r2")), wire.encode(making.events("r2", "r3"))
    answers = [send(http, body, first).json() for body, first in ((one, 101), (two, 102), (one, 101))]

    assert answers == [
        {"first": 101, "last": 102, "stored": 2},
        {"first": 102, "last": 103, "stored": 1},
        {"first": 101, "last": 102, "stored": 0},
    ]
    assert names(served, "r") == ["r1", "r2", "r3"]


def test_rows_of_another_node_are_refused_whole(http: httpx.Client) -> None:
    mixed = encoded({EVENTS: [making.event(), making.event(node="other")]})
    answer = send(http, mixed, 1000)

    assert (answer.status_code, "which the sensor is enrolled for" in answer.text) == (403, True)


def test_an_invalid_batch_is_refused(http: httpx.Client) -> None:
    assert "expected a zstd frame" in send(http, b"nonsense", 1).text


def test_a_clock_a_year_off_is_refused(http: httpx.Client) -> None:
    answer = send(http, encoded({}), 1, when=now() - datetime.timedelta(days=365))

    assert (answer.status_code, "correct the wrong one" in answer.text) == (409, True)


def test_rows_with_a_future_time_are_refused(http: httpx.Client) -> None:
    late = making.event(when=now() + datetime.timedelta(days=7))

    assert "Timestamp: expected times" in send(http, encoded({EVENTS: [late]}), 1).text


def test_an_invalid_row_number_is_refused(http: httpx.Client) -> None:
    for first in (-1, 1 << 63, 1 << 200):
        assert send(http, encoded({}), first).status_code in (400, 422)


def test_a_body_without_content_length_is_refused(http: httpx.Client) -> None:
    headers = {"Driftline-First": "1", "Driftline-Time": str(int(time.time() * 1e6))}
    answer = http.post("/api/v1/ingest", content=iter([b"x"]), headers=headers)

    assert (answer.status_code, "Content-Length" in answer.text) == (400, True)


def test_a_body_above_the_limit_is_refused_before_reading(http: httpx.Client) -> None:
    assert "expected at most 8388608" in send(http, bytes(9 << 20), 1).text


def test_too_many_batches_at_once_are_refused_with_retry_after(served: Served) -> None:
    client = served.enrolled("n-many")
    head = (
        "POST /api/v1/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
        f"Driftline-First: 1\r\nDriftline-Time: {int(time.time() * 1e6)}\r\n\r\n"
    )
    context = client.context()
    begun = []
    for _ in range(4):
        raw = socket.create_connection(("localhost", served.port))
        begun.append(context.wrap_socket(raw, server_hostname="localhost"))
        begun[-1].sendall(head.encode())
    with client.http() as http:
        deadline = time.monotonic() + 20
        while (answer := send(http, encoded({}), 1)).status_code != 429:
            assert time.monotonic() < deadline
    assert answer.headers["retry-after"] == "1"
    for connection in begun:
        connection.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.integers(0, 10))
def test_arbitrary_bodies_are_no_internal_errors(http: httpx.Client, data: bytes, cut: int) -> None:
    honest = encoded({EVENTS: [making.event()]})
    for body in (data, honest[:cut] + data, honest[: len(honest) - cut] + data):
        assert send(http, body, 1 << 40).status_code < 500


FIRST_STEP = 1500  # after the steps of opening the store


@pytest.mark.timeout(300)
def test_after_kills_under_load_acknowledged_rows_are_stored_once(tmp_path: Path) -> None:
    kills = int(os.environ.get("DRIFTLINE_KILLS", "4"))
    served = Served(tmp_path)
    senders = [_Sender(served, f"n{number}") for number in range(4)]
    served.kill()
    for number in range(kills):
        served.start(kill_at=FIRST_STEP + number * 101)  # a prime: other places of a commit each time
        assert served.process.wait(60) == -signal.SIGKILL
    served.start()
    for sender in senders:
        sender.stop()
    served.stop()
    with open_reader(tmp_path / "store") as reader:
        rows = reader.select(RowQuery(table=EVENTS, limit=1_000_000))
    stored = defaultdict[str | None, list[int]](list)
    for node, name in zip(rows["NodeName"].to_pylist(), rows["FileName"].to_pylist(), strict=True):
        stored[node].append(int(str(name)))
    for sender in senders:
        assert sorted(stored[sender.node]) == list(range(sender.acknowledged))
        assert sender.acknowledged > 0


class _Sender:
    """Sends numbered rows, each batch until it is acknowledged, overlapping the one before."""

    def __init__(self, served: Served, node: str) -> None:
        self.node = node
        self.acknowledged = 0
        self._client = served.enrolled(node)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with self._client.http() as http:
            while not self._stopping.is_set():
                self._send(http, max(0, self.acknowledged - 3), self.acknowledged + 20)

    def _send(self, http: httpx.Client, first: int, end: int) -> None:
        rows = [making.event(str(number), node=self.node) for number in range(first, end)]
        body = wire.encode({EVENTS: wire.table(EVENTS, rows)})
        while True:
            try:
                answer = send(http, body, first, floor=first)
            except httpx.TransportError:
                time.sleep(0.01)
                continue
            if answer.status_code == 200:
                self.acknowledged = end
                return
            assert answer.status_code in (429, 503), answer.text

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()


def test_a_batch_without_rows_is_refused(http: httpx.Client) -> None:
    answer = send(http, encoded({}), 1)

    assert (answer.status_code, "expected at least one" in answer.text) == (400, True)


def test_sensors_that_send_slowly_leave_room_for_others(served: Served) -> None:
    head = (
        "POST /api/v1/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8388608\r\n"
        f"Driftline-First: 1\r\nDriftline-Time: {int(time.time() * 1e6)}\r\n\r\n"
    )
    begun = []
    for node in ("slow-1", "slow-2", "slow-3"):
        context = served.enrolled(node).context()
        for _ in range(4):
            raw = socket.create_connection(("localhost", served.port))
            begun.append(context.wrap_socket(raw, server_hostname="localhost"))
            begun[-1].sendall(head.encode() + bytes(7 << 20 if node == "slow-1" else 1))
    with served.enrolled("quick").http() as http:
        big = [making.event(os.urandom(2000).hex(), node="quick") for _ in range(1500)]
        assert send(http, encoded({EVENTS: [*big]}), 1).json()["stored"] == 1500
    for connection in begun:
        connection.close()


def test_an_alert_with_too_much_evidence_is_refused(served: Served) -> None:
    client = served.enrolled("noisy")
    with client.http() as http:
        one = making.alert("a", node="noisy")
        first = send(http, encoded({**one, "AlertEvidence": one["AlertEvidence"] * 200}), 1)
        again = send(http, encoded({**one, "AlertEvidence": one["AlertEvidence"] * 200}), 1)
        more = send(http, encoded({"AlertEvidence": one["AlertEvidence"]}), 1000)

    assert (first.json()["stored"], again.json()["stored"]) == (201, 0)
    assert (more.status_code, "at most 200 rows of one alert" in more.text) == (400, True)
