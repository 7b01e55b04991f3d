"""A server process with the sensors' endpoints only, over TLS with real certificates.

``python -m tests.server.gateways DIRECTORY PORT`` serves; ``Served`` starts that and talks to it.
"""

from __future__ import annotations

import datetime
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI

from driftline import wire
from driftline.server import pki
from driftline.server.auth.peers import Peers
from driftline.server.clock import Clock
from driftline.server.fleet import enrolment, ingest
from driftline.server.fleet.gateway import open_gateway
from driftline.server.http import problems, tls
from driftline.server.http.parts import provide
from driftline.server.http.refusal_log import RefusalLog
from driftline.server.state import State, sensors
from driftline.server.storage import Storage
from driftline.wire.protocol import ENROL_PATH, FIRST_HEADER, FLOOR_HEADER, INGEST_PATH, TIME_HEADER, JoinToken
from tests import failpoints


def open_state(directory: Path) -> State:
    """Open the state of a server's directory, with the tables of today."""
    state = State(f"sqlite:///{directory}/state.db")
    state.migrate(directory)
    return state


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def main(directory: Path, port: int) -> None:
    failpoints.arm_from_environment()
    app = FastAPI()
    problems.install(app)
    for router in (enrolment.router, ingest.router):
        app.include_router(router, prefix="/api/v1")
    clock, refusals, state = Clock(), RefusalLog(now), open_state(directory)
    peers = Peers(state, clock)
    opened = open_gateway(state, Storage(directory / "store"), peers, data=directory, clock=clock, refusals=refusals)
    with opened as gateway:
        provide(app, clock, refusals, state, peers, gateway)
        options = tls.own_options(directory / "pki", gateway.authority, ["localhost"], now=now())
        options |= {"log_level": "warning", "access_log": False, "timeout_graceful_shutdown": 1}
        config = uvicorn.Config(app, host="localhost", port=port, **options)
        uvicorn.Server(config).run()


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def request_for(key: ec.EllipticCurvePrivateKey) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@dataclass
class Served:
    """A server process, its directory and port."""

    directory: Path
    port: int = 0
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.port = self.port or free_port()
        self.start()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def start(self, *, kill_at: int = 0) -> None:
        """Start the server; with ``kill_at`` it is killed at that step of the code that stores rows."""
        command = (sys.executable, "-m", "tests.server.gateways", str(self.directory), str(self.port))
        kill = {failpoints.VARIABLE: f"driftline/store/files/:{kill_at}"} if kill_at else {}
        self.process = subprocess.Popen(command, env=os.environ | kill)
        deadline = time.monotonic() + 60
        while not self.answers():
            assert time.monotonic() < deadline
            assert self.process.poll() is None
            time.sleep(0.02)

    def answers(self) -> bool:
        try:
            socket.create_connection(("localhost", self.port), timeout=1).close()  # cheaper than a TLS context
            return bool(httpx.get(f"{self.url}/api/v1/enrol/authority", verify=False).status_code == 200)
        except (OSError, httpx.TransportError):
            return False

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def close(self) -> None:
        if self.process.poll() is None:
            self.stop()

    @property
    def state(self) -> State:
        return open_state(self.directory)

    def token(self, *, cluster: str = "c", node: str = "", minutes: float = 5) -> JoinToken:
        authority = pki.open_authority(self.directory / "pki", now=now())
        expires = now() + datetime.timedelta(minutes=minutes)
        with self.state.writing() as session:
            return sensors.add_join_token(
                session, fingerprint=authority.fingerprint, cluster=cluster, node=node, expires=expires
            )

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.directory / "pki" / "ca.pem"))

    def client(self, context: ssl.SSLContext | None = None) -> httpx.Client:
        return httpx.Client(base_url=self.url, verify=context or self.context(), timeout=30)

    def enrolled(self, node: str = "n") -> Client:
        key = new_key()
        body = {"csr": request_for(key), "node": node, "token": self.token(node=node).text(), "time": now().isoformat()}
        with self.client() as http:
            said = http.post(ENROL_PATH, json=body).raise_for_status().json()
        return Client(self, key, said)


@dataclass
class Client:
    """A sensor as the wire sees it."""

    served: Served
    key: ec.EllipticCurvePrivateKey
    said: dict[str, str]

    def context(self) -> ssl.SSLContext:
        context = self.served.context()
        path = self.served.directory / f"{self.said['sensor']}.pem"
        context.load_cert_chain(write_pair(path, self.said["certificate"], self.key))
        return context

    def http(self) -> httpx.Client:
        return self.served.client(self.context())


def write_pair(path: Path, certificate: str, key: ec.EllipticCurvePrivateKey) -> Path:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_text(certificate + private.decode())
    return path


def send(
    http: httpx.Client, body: bytes, first: int, *, floor: int = 0, when: datetime.datetime | None = None
) -> httpx.Response:
    clock = int((when or now()).timestamp() * 1e6)
    headers = {
        FIRST_HEADER: str(first),
        FLOOR_HEADER: str(floor),
        TIME_HEADER: str(clock),
        "Content-Type": wire.CONTENT_TYPE,
    }
    return http.post(INGEST_PATH, content=body, headers=headers)


def free_port() -> int:
    with socket.create_server(("localhost", 0)) as listener:
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
