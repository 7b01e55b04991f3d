"""Latency from a drifted exec to its alert in the store: median and 99th percentile.

The alert's ``Timestamp`` is the kernel's time of the exec. A reader polls the store without a pause;
the measurement ends when it first sees the alert. Run ``python -m bench.alert_latency [ALERTS]``.
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
from typing import Any

import lab
from bench import _sensors
from driftline.store.process.reader import Reader, open_reader
from driftline.store.query.row_query import RowQuery


def main(alerts: int = 200) -> None:
    """Execute ``alerts`` drifted files and print the latency of their alerts."""
    with lab.start("bench") as it, _sensors.driftline(it) as running:
        container = it.pod("latency").container("busybox")
        container.sh("cp /opt/lab/true /tmp/drift; /tmp/drift")
        time.sleep(5)  # lets the sensor build the image's index, which it does once
        load = f"i=0; while [ $i -lt {alerts} ]; do /tmp/drift; i=$((i+1)); sleep 0.05; done"
        worker = threading.Thread(target=container.sh, args=(load,), kwargs={"timeout": 300})
        reader = open_reader(running.store)
        seen = {row["AlertId"] for row in rows(reader)}
        worker.start()
        latencies: list[float] = []
        while len(latencies) < alerts:
            fresh = [row for row in rows(reader) if row["AlertId"] not in seen]
            latencies += [(time.time() - row["Timestamp"].timestamp()) * 1000 for row in fresh]
            seen |= {row["AlertId"] for row in fresh}
        worker.join()
    cuts = statistics.quantiles(latencies, n=100)
    print(f"exec to alert in the store, {alerts} alerts: p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms")


def rows(reader: Reader) -> list[dict[str, Any]]:
    """Return the newest alerts of the store, at most 20."""
    return reader.select(RowQuery(table="AlertInfo", limit=20)).to_pylist()


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
