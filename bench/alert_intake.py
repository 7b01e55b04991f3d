"""Alerts of one node into the server: alerts a second, and the time of a page of the list meanwhile.

``python -m bench.alert_intake [ALERTS] [DISTINCT]``. One sensor sends ALERTS (50,000) over mutual TLS as fast as they
are acknowledged; DISTINCT (all) of them are alerts of their own, the others are repeats in further pods. Meanwhile a
user requests the first page of the list, a page filtered by namespace, and a page by text, twice a second in turn. The
measurement ends when the server has counted every alert.
"""

from __future__ import annotations

import datetime
import os
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from bench import fleet
from driftline import wire
from driftline.events import Alert, CloudProcessEvent
from driftline.events.alerts import alert_evidence, alert_info
from driftline.sensor.shipping import credentials
from tests.server import joining, serving
from tests.server.gateways import send

BATCH = 1000
PAGES: Mapping[str, Mapping[str, str]] = {
    "first page": {},
    "by namespace": {"namespace": "team-7"},
    "by text": {"text": "miner-49"},
    "by a text of all": {"text": "miner"},
}


def alert(number: int, distinct: int) -> Alert:
    """Return a drift alert; those with equal ``number % distinct`` are repeats."""
    kind = number % distinct
    moment = datetime.datetime.now(datetime.UTC)
    event = CloudProcessEvent(
        Timestamp=moment,
        ClusterName="prod",
        NodeName="node-1",
        KubernetesNamespace=f"team-{kind % 40}",
        KubernetesPodName=f"web-{number % 500}",
        KubernetesResource=f"Deployment/web-{kind % 80}",
        ContainerImageName="registry.example/shop/web:1.4",
        FileName=f"miner-{kind}",
        FolderPath="/tmp",
        SHA256=f"{kind:064x}",
        PolicyRule="Alert",
        ProcessCommandLine=f"/tmp/miner-{kind} --pool stratum+tcp://pool.example:3333 --threads 4",
    )
    return Alert(
        alert_id=uuid.uuid4().hex,
        timestamp=moment,
        title="Drifted binary executed",
        category="Execution",
        severity="High",
        attack_techniques=("T1059",),
        description="The image has no such file.",
        event=event,
        process_tree=(),
    )


def body(alerts: Sequence[Alert]) -> bytes:
    """Return the batch of some alerts with their events."""
    evidence = [row for each in alerts for row in alert_evidence(each)]
    return wire.encode(
        {
            "CloudProcessEvents": wire.table("CloudProcessEvents", [each.event for each in alerts]),
            "AlertInfo": wire.table("AlertInfo", [alert_info(each) for each in alerts]),
            "AlertEvidence": wire.table("AlertEvidence", evidence),
        }
    )


def deliver(http: httpx.Client, count: int, distinct: int) -> None:
    """Send ``count`` alerts, each batch when the one before is acknowledged."""
    number = 1
    for begin in range(0, count, BATCH):
        content = body([alert(each, distinct) for each in range(begin, min(begin + BATCH, count))])
        while not (answer := send(http, content, number)).is_success:
            time.sleep(float(answer.raise_for_status().headers.get("retry-after", "1")))
        number += BATCH * 10


def counted(client: httpx.Client, url: str) -> int:
    """Return the number of alerts that the server has counted, by its metrics."""
    lines = client.get(f"{url}/metrics").text.splitlines()
    found = (line.rpartition(" ") for line in lines if line.startswith("driftline_alert_occurrences_total"))
    return sum(int(float(value)) for name, _, value in found if "incomplete" not in name and "known" not in name)


def main(count: int = 50_000, distinct: int = 0) -> None:
    """Start a server, send the alerts, and print the rate and the times of the pages."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, serving.serve(Path(folder), sensors=True) as served:
        known = credentials.enrol(
            Path(folder) / "sensor", served.url, token=joining.join_token(served, "prod"), node="node-1"
        )
        http = served.stack.enter_context(httpx.Client(base_url=served.url, verify=known.context(), timeout=120))
        sender = threading.Thread(target=deliver, args=(http, count, distinct or count))
        times: dict[str, list[float]] = defaultdict(list)
        begun, sent, used = time.monotonic(), 0.0, fleet.used(served.process.pid)
        sender.start()
        while (taken := counted(served.admin, served.url)) < count:
            for name, filters in PAGES.items():
                asked = time.monotonic()
                served.admin.get("/alerts", params=filters).raise_for_status()
                times[name].append(time.monotonic() - asked)
                time.sleep(0.5)
            sent = sent or (time.monotonic() - begun) * (not sender.is_alive())
            print(f"{time.monotonic() - begun:6.1f} s: {taken:,}", file=sys.stderr)
        seconds = time.monotonic() - begun
        processor = fleet.used(served.process.pid) - used
    print(f"{count:,} alerts, {distinct or count:,} distinct; load of the machine {os.getloadavg()[0]:.1f}")
    print(
        f"acknowledged after {sent:.1f} s, counted after {seconds:.1f} s: {count / seconds:,.0f} alerts/s (aim 1,000)"
    )
    print(f"processor time of the server: {processor:.1f} s, {processor / count * 1e6:.0f} us an alert")
    for name, found in times.items():
        print(f"{name}: median {statistics.median(found) * 1000:.0f} ms, most {max(found) * 1000:.0f} ms (aim 300)")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
