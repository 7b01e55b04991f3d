"""Bounds on connections: which one is closed for a new one."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from driftline.server.http.connections import Bounds, Connection, Connections, client_of
from driftline.server.http.metrics import Metrics


class Clients:
    """Opens connections and notes the order in which they are closed."""

    def __init__(self, **bounds: int) -> None:
        self.connections = Connections(Bounds(**bounds), Metrics())
        self.closed: list[str] = []

    def open(self, client: str, name: str) -> Connection | None:
        return self.connections.admit(client, lambda: self.closed.append(name))

    def busy(self, client: str, name: str) -> None:
        opened = self.open(client, name)
        assert opened
        self.connections.set_busy(opened)


def test_the_longest_waiting_connection_of_the_largest_client_gives_way() -> None:
    clients = Clients(total=4)
    for client, name in (("b", "b1"), ("a", "a1"), ("a", "a2"), ("a", "a3"), ("c", "c1"), ("c", "c2")):
        assert clients.open(client, name)

    assert (clients.closed, len(clients.connections)) == (["a1", "a2"], 4)


def test_a_client_at_its_bound_loses_its_own_connection() -> None:
    clients = Clients(total=10, per_client=2)
    for name in ("1", "2", "3"):
        clients.open("a", name)
    clients.open("b", "b")

    assert clients.closed == ["1"]


def test_connections_with_requests_keep_their_places() -> None:
    clients = Clients(total=3)
    clients.busy("a", "a1")
    clients.busy("a", "a2")
    clients.open("b", "b1")
    assert clients.open("c", "c1")
    clients.busy("d", "d1")

    assert clients.closed == ["b1", "c1"]
    assert clients.open("e", "e1") is None
    assert len(clients.connections) == 3


def test_a_connection_waits_again_after_its_request() -> None:
    clients = Clients(total=2)
    first, second = clients.open("a", "1"), clients.open("a", "2")
    assert first
    assert second
    clients.connections.set_busy(first)
    clients.connections.set_waiting(first)
    clients.open("a", "3")

    assert clients.closed == ["2"]


def test_a_sensor_is_counted_by_its_certificate() -> None:
    clients = Clients(total=10, per_client=2)
    for number in range(4):
        opened = clients.open("a", f"s{number}")
        assert opened
        clients.connections.identify(opened, f"sensor {number}")
    clients.open("a", "a1")

    assert (clients.closed, len(clients.connections)) == ([], 5)


def test_released_connections_make_room_once() -> None:
    clients = Clients(total=1)
    for number in range(3):
        opened = clients.open("a", str(number))
        assert opened
        clients.connections.release(opened)
        clients.connections.release(opened)
        clients.connections.set_waiting(opened)

    assert (clients.closed, len(clients.connections)) == ([], 0)


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:2", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_addresses_of_one_client_have_one_key(address: str, client: str) -> None:
    assert client_of(address) == client


@pytest.mark.parametrize(
    ("soft", "hard", "expected"), [(1024, 20_000, "10000 10256"), (1024, 1024, "768 1024"), (256, 300, "150 300")]
)
def test_the_limit_of_open_files_is_raised_and_bounds_connections(soft: int, hard: int, expected: str) -> None:
    code = (
        "import resource; from driftline.server.http.connections import raise_file_limit as raised;"
        "print(raised(10_000), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
    )

    assert done.stdout.strip() == expected
