"""A real server process, users who log in to it, and waiting for conditions."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx

PASSWORD = "correct horse battery staple"
SECONDS = 90.0
T = TypeVar("T")


@dataclass
class Served:
    """A running server and its first admin."""

    url: str
    process: subprocess.Popen[str]
    setup_token: str
    stack: contextlib.ExitStack
    trust: ssl.SSLContext | bool
    data: Path

    def __post_init__(self) -> None:
        self.admin = self.anonymous()
        body = {"token": self.setup_token, "name": "root", "password": PASSWORD}
        self.admin.headers["Authorization"] = f"Bearer {self.admin.post('/setup', json=body).json()['token']}"

    def anonymous(self) -> httpx.Client:
        return self.stack.enter_context(httpx.Client(base_url=f"{self.url}/api/v1", timeout=SECONDS, verify=self.trust))

    def bearer(self, token: str) -> httpx.Client:
        client = self.anonymous()
        client.headers["Authorization"] = f"Bearer {token}"
        return client

    def user(self, name: str, role: str, clusters: Sequence[str] = ("*",)) -> httpx.Client:
        """Make a user and log them in."""
        body = {"name": name, "password": PASSWORD, "role": role, "clusters": list(clusters)}
        made = self.admin.post("/users", json=body)
        assert made.status_code == 201, made.text
        login = self.anonymous().post("/login", json={"name": name, "password": PASSWORD})
        return self.bearer(login.json()["token"])


@contextlib.contextmanager
def serve(directory: Path, *flags: str, sensors: bool = False) -> Iterator[Served]:
    """Start ``driftline server`` over a directory and make its first admin; with ``sensors`` it speaks TLS."""
    process = start(directory, *flags, *(("--set", "sensor_names=localhost") if sensors else ()))
    try:
        token = setup_token(process)
        url = address(directory)
        trust: ssl.SSLContext | bool = True
        if sensors:
            url = url.replace("http://127.0.0.1", "https://localhost")
            trust = ssl.create_default_context(cafile=str(directory / "data" / "pki" / "ca.pem"))
        wait_until(lambda: answers(url, trust))
        with contextlib.ExitStack() as stack:
            yield Served(url, process, token, stack, trust, directory / "data")
    finally:
        stop(process)


def start(directory: Path, *flags: str) -> subprocess.Popen[str]:
    """Start a server process on the directory's own port."""
    port_file = directory / "port"
    directory.mkdir(parents=True, exist_ok=True)
    if not port_file.exists():
        port_file.write_text(str(free_port()))
    command = [sys.executable, "-m", "driftline.cli", "server", "--port", port_file.read_text(),
               "--data", str(directory / "data"), "--store", str(directory / "store"),
               "--set", "logins_per_minute=10000", "--set", "requests_per_minute=1000000",
               "--set", "hunts_per_minute=100000", *flags]  # fmt: skip
    with (directory / "log").open("a") as log:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        process = subprocess.Popen(command, stderr=log, text=True, env=environment)
    process.log = directory / "log"  # type: ignore[attr-defined] # where its output is
    return process


def address(directory: Path) -> str:
    return f"http://127.0.0.1:{(directory / 'port').read_text()}"


def setup_token(process: subprocess.Popen[str]) -> str:
    log: Path = process.log  # type: ignore[attr-defined] # see start
    wait_until(lambda: "setup token: " in log.read_text() or process.poll() is not None)
    found = re.findall(r"setup token: (\S+)", log.read_text())
    assert found, log.read_text()
    return str(found[-1])


def answers(url: str, trust: ssl.SSLContext | bool = True) -> bool:
    """Return whether a server is ready; a request is sent only to a port that is open, because one costs 50 ms."""
    try:
        socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1])), timeout=SECONDS).close()
        return httpx.get(f"{url}/readyz", verify=trust).status_code == 200
    except (OSError, httpx.TransportError):
        return False


def stop(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(SECONDS)
    finally:
        process.kill()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], T], *, seconds: float = SECONDS) -> T:
    """Call a condition again until it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never became true"
        select.select((), (), (), 0.02)
    return found
