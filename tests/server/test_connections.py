"""A server whose connections are held, slowed down or left unread by clients."""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.server import serving
from tests.server.serving import Served

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def low(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Start a server that may open 1,024 files, whose requests have to arrive within seconds."""
    flags = ("--set", "header_seconds=2", "--set", "body_seconds=2")
    with serving.serve(tmp_path_factory.mktemp("low"), *flags, sensors=True) as running:
        resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (1024, 1024))
        yield running


def opened(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(served.url.rsplit(":", 1)[1])), timeout=30)


def spoken(served: Served) -> ssl.SSLSocket:
    assert isinstance(served.trust, ssl.SSLContext)
    return served.trust.wrap_socket(opened(served), server_hostname="localhost")


def log(served: Served) -> str:
    return (served.data.parent / "log").read_text()


def until_closed(connection: socket.socket) -> bytes:
    got = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            got += piece
    return got


def test_connections_that_only_wait_keep_nobody_out(tmp_path: Path) -> None:
    with serving.serve(tmp_path, "--set", "connections=60", sensors=True) as served, contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(opened(served))
        assert httpx.get(f"{served.url}/healthz", verify=served.trust, timeout=30).status_code == 200
        assert httpx.get(f"{served.url}/metrics", verify=served.trust).text.count('reason="crowded"') == 2


def test_a_process_out_of_descriptors_answers_again_and_logs_little(low: Served) -> None:
    before = len(log(low))
    with contextlib.ExitStack() as stack:
        for _ in range(1100):
            stack.enter_context(opened(low))
        serving.wait_until(lambda: serving.answers(low.url, low.trust))
    serving.wait_until(lambda: serving.answers(low.url, low.trust))

    assert len(log(low)) - before < 5000


def test_headers_that_do_not_arrive_end_the_connection(low: Served) -> None:
    with spoken(low) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: local")

        assert until_closed(connection).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_does_not_arrive_ends_the_connection(low: Served) -> None:
    with spoken(low) as connection:
        connection.sendall(b"POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")

        assert until_closed(connection).startswith(b"HTTP/1.1 408 ")


def test_tls_that_does_not_begin_ends_the_connection(low: Served) -> None:
    with opened(low) as connection:
        assert until_closed(connection) == b""


def test_further_requests_on_a_connection_have_their_own_time(low: Served) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with spoken(low) as connection:
        for _ in range(2):
            connection.sendall(request)
            answer = b""
            while b'"checks"' not in answer:
                answer += connection.recv(65536)
            select.select((), (), (), 2.5)
        connection.sendall(request[:20])

        assert until_closed(connection).startswith(b"HTTP/1.1 408 ")


def test_a_server_stops_at_once_while_connections_are_held(tmp_path: Path) -> None:
    with serving.serve(tmp_path, sensors=True) as served, contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(opened(served))
            stack.enter_context(spoken(served)).sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        serving.wait_until(
            lambda: "driftline_connections 4" in httpx.get(f"{served.url}/metrics", verify=served.trust).text
        )
        assert serving.stop(served.process) == 0

    assert "timeout graceful shutdown exceeded" not in (tmp_path / "log").read_text()
