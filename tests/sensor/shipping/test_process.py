"""Shipping from the sensor's lines to the store of a running server, with kills on both sides."""

from __future__ import annotations

import datetime
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from driftline.errors import DriftlineError, InvalidInput
from driftline.events import Message, SensorHealth, stream
from driftline.sensor.shipping import credentials, launcher
from driftline.sensor.shipping.spool import Priority, Spool
from driftline.server import pki
from driftline.server.state import sensors
from driftline.store.process.reader import open_reader
from driftline.store.process.writer import Writer
from driftline.store.query.row_query import RowQuery
from tests.server.gateways import Served, new_key, now, request_for, write_pair
from tests.wire import making

EVENTS = "CloudProcessEvents"
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "server").mkdir()
    running = Served(tmp_path / "server")
    yield running
    if running.process.poll() is None:
        running.stop()


@pytest.fixture
def state(tmp_path: Path, served: Served) -> Path:
    launcher.enrol(tmp_path / "sensor", served.url, token=served.token().text(), cluster="c", node="n")
    return tmp_path / "sensor"


def lines(*names: str) -> list[bytes]:
    return [stream.encode(msgspec.structs.replace(making.event(name), Timestamp=now())) for name in names]


def health(action: str) -> bytes:
    row = SensorHealth(Timestamp=now(), ActionType=action, ClusterName="c", NodeName="n", SensorId="run")
    message: Message = row
    return stream.encode(message)


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_empty(state: Path) -> bool:
    return not list((state / "spool").glob("*.batch*"))


def rows(served: Served, table: str) -> list[dict[str, Any]]:
    served.stop()
    with open_reader(served.directory / "store") as reader:
        return reader.select(RowQuery(table=table, order="Timestamp", limit=1_000_000)).to_pylist()


def test_rows_arrive_and_a_clean_stop_reports_no_kill(served: Served, state: Path) -> None:
    writer = launcher.start_shipper(state, served.url)
    writer.write([*lines("a", "b"), health("SensorStopped")])
    writer.close()

    assert is_empty(state)
    assert sorted(row["FileName"] for row in rows(served, EVENTS)) == ["a", "b"]


def test_a_killed_sensor_is_reported_by_the_shipping_process(served: Served, state: Path) -> None:
    writer = launcher.start_shipper(state, served.url)
    writer.write([*lines("a")])
    writer.close()
    found = rows(served, "SensorHealth")

    assert [(row["ActionType"], row["NodeName"]) for row in found] == [("SensorKilled", "n")]


def test_outages_and_kills_neither_lose_nor_duplicate_rows(served: Served, state: Path) -> None:
    """Server and shipping process are killed with rows on their way, then in the spool, then delivered."""
    writer = launcher.start_shipper(state, served.url)
    reached: tuple[Callable[[], bool], ...] = (
        lambda: True,
        lambda: not writer._lines,
        lambda: not writer._lines and is_empty(state),
    )
    expected = []
    for round_ in range(6):
        batch = [f"{round_}-{number:03}" for number in range(100)]
        expected += batch
        writer.write(lines(*batch))
        wait_until(reached[round_ // 2])
        (served.kill if round_ % 2 else _kill(writer))()
        if served.process.poll() is not None:
            served.start()
    writer.write([health("SensorStopped")])
    wait_until(lambda: not writer._lines and is_empty(state))
    writer.close()

    assert (sorted(row["FileName"] for row in rows(served, EVENTS)), writer.lost) == (expected, 0)


def _kill(writer: Writer) -> Callable[[], None]:
    return lambda: os.kill(writer.pid, signal.SIGKILL)


def test_unsent_rows_are_sent_by_the_next_process(served: Served, state: Path) -> None:
    served.kill()
    writer = launcher.start_shipper(state, served.url)
    writer.write([*lines("a"), health("SensorStopped")])
    writer.close()
    assert not is_empty(state)
    served.start()
    writer = launcher.start_shipper(state, served.url)
    wait_until(lambda: is_empty(state))
    writer.write([health("SensorStopped")])
    writer.close()

    assert [row["FileName"] for row in rows(served, EVENTS)] == ["a"]


def test_a_permanently_refused_batch_is_dropped_and_counted(served: Served, state: Path) -> None:
    Spool(state / "spool").put({Priority.PLAIN: (b"no batch", 7)}, stream="x", taken=1)
    writer = launcher.start_shipper(state, served.url)
    wait_until(lambda: is_empty(state))
    writer.write([*lines("after"), health("SensorStopped")])
    writer.close()
    found = rows(served, "SensorHealth")

    assert ("EventsLost", "refused by the server", 7) in [(it["ActionType"], it["Reason"], it["Count"]) for it in found]


def test_alerts_are_sent_first_after_an_outage(served: Served, state: Path) -> None:
    served.kill()
    spool = Spool(state / "spool")
    for name in ("p1", "p2"):
        spool.put({Priority.PLAIN: (name.encode(), 1)}, stream="x", taken=1)
    spool.put({Priority.ALERT: (b"alert", 1)}, stream="x", taken=2)
    held = spool.hold_next(0)

    assert held is not None
    assert held[1] == b"alert"


def test_a_second_enrolment_is_a_no_op_and_another_node_is_refused(served: Served, state: Path) -> None:
    again = launcher.enrol(state, served.url, token="", cluster="", node="n")
    assert (again.cluster, again.node) == ("c", "n")
    with pytest.raises(InvalidInput, match="--node: the sensor is enrolled for the node 'n', not 'other'"):
        launcher.enrol(state, served.url, token="", cluster="", node="other")
    with pytest.raises(InvalidInput, match="--cluster"):
        launcher.enrol(state, served.url, token="", cluster="other", node="n")


def test_a_server_of_another_authority_never_receives_the_token(served: Served, tmp_path: Path) -> None:
    other = pki.open_authority(tmp_path / "other", now=now())
    token = served.token()
    forged = f"dlj1.{token.id}.{token.secret}.{other.fingerprint}"
    with pytest.raises(DriftlineError, match="its authority has another fingerprint"):
        launcher.enrol(tmp_path / "s", served.url, token=forged, cluster="", node="n")
    with served.state.reading() as session:
        (listed,) = sensors.list_join_tokens(session)
    assert listed.used is None


@pytest.mark.parametrize(
    ("url", "token", "words"),
    [
        ("http://localhost:1", "dlj1." + "0" * 16 + "." + "0" * 48 + "." + "0" * 64, "expected https://"),
        ("https://localhost:1", "nonsense", "not a join token"),
        ("https://localhost:1", "dlj1." + "0" * 16 + "." + "0" * 48 + "." + "0" * 64, "Connection refused"),
        ("https://localhost:1", "", "expected a join token, or a service-account token"),
    ],
)
def test_a_failed_enrolment_states_the_reason(tmp_path: Path, url: str, token: str, words: str) -> None:
    with pytest.raises(DriftlineError, match=words):
        launcher.enrol(tmp_path / "s", url, token=token, cluster="", node="n")


def test_the_shipping_process_does_not_start_without_a_certificate(tmp_path: Path) -> None:
    command = ("driftline.sensor.shipping.process", str(tmp_path), "https://localhost:1", "own", "s")
    done = subprocess.run((sys.executable, "-m", *command), capture_output=True, text=True, check=False)

    assert (done.returncode, "holds no certificate; enrol first" in done.stderr) == (1, True)


def age_certificate(served: Served, state: Path) -> None:
    """Give the sensor a certificate that it has had for 25 of 30 days."""
    known = credentials.load(state)
    assert known
    identity = pki.Identity(known.identity.sensor, "c", "n")
    authority, key = pki.open_authority(served.directory / "pki", now=now()), new_key()
    issued = authority.sign_sensor(request_for(key), identity, now=now() - datetime.timedelta(days=25))
    with served.state.writing() as session:
        sensors.add_certificate(session, identity, issued)
    write_pair(known.certificate, issued.pem, key)


def is_renewed(state: Path) -> bool:
    return (fresh := credentials.load(state)) is not None and fresh.renew_after > now()


def test_a_certificate_is_renewed_after_two_thirds_of_its_lifetime(served: Served, state: Path) -> None:
    age_certificate(served, state)
    writer = launcher.start_shipper(state, served.url)
    writer.write(lines("a"))
    wait_until(lambda: is_renewed(state))
    writer.write([*lines("b"), health("SensorStopped")])
    writer.close()

    assert sorted(row["FileName"] for row in rows(served, EVENTS)) == ["a", "b"]


def test_a_sensor_follows_a_server_whose_authority_is_replaced(served: Served, state: Path) -> None:
    """The sensor sends by the former authority, gets the new one at its renewal, and sends when the former ended."""
    age_certificate(served, state)
    token = served.token(node="late").text()
    pki_directory = served.directory / "pki"
    former = (pki_directory / "ca.pem").read_text()
    new = pki.rotate(pki_directory, now=now())
    served.stop()
    served.start()

    writer = launcher.start_shipper(state, served.url)
    writer.write(lines("a"))
    wait_until(lambda: is_renewed(state) and is_empty(state))
    assert ((state / "ca.pem").read_text(), former == new.pem) == (new.pem, False)
    for each, text in (("late", token), ("new", served.token(node="new").text())):
        launcher.enrol(state.parent / each, served.url, token=text, cluster="c", node=each)
        assert (state.parent / each / "ca.pem").read_text() == new.pem

    served.stop()
    (pki_directory / pki.CROSS).unlink()
    served.start()
    writer.write([*lines("b"), health("SensorStopped")])
    writer.close()

    assert sorted(row["FileName"] for row in rows(served, EVENTS)) == ["a", "b"]
