"""Ingest of alerts: rows of ``AlertInfo`` and ``AlertEvidence`` become alerts in the state, each exactly once.

Rows in the event store have no order of arrival, and they arrive late: a sensor that was disconnected for an hour sends
alerts of an hour ago. The tailer therefore reads in two ways: every second the rows since its last turn (with an
overlap), and every minute all rows whose time is within ``late_hours``. Code of this process that stores alert rows
reports their oldest time at once (``Arrivals``).

An occurrence row with the alert's id, written in the transaction that counts the alert, marks it as counted. After a
crash between reading and committing, the rows are read again; an overlap finds the ids and counts nothing. The position
is a time of the server's own clock, so that a sensor's clock that is a year ahead does not move it.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from driftline.server.alerts.arrivals import Arrivals
from driftline.server.alerts.findings import Finding, finding_of
from driftline.server.alerts.grouping import count_findings
from driftline.server.clock import Clock
from driftline.server.failure_log import FailureLog
from driftline.server.http.metrics import Metrics
from driftline.server.signals import ALERTS, Hub
from driftline.server.state import State, alerts
from driftline.server.storage import Storage
from driftline.store.query.row_query import MAX_ROWS, Filter, RowQuery

__all__ = ["Tailer", "tailing"]

_TURN_SECONDS = 1.0
_SWEEP_SECONDS = 60.0
_OVERLAP = datetime.timedelta(minutes=2)  # rows are stored some time after their time, even without a disconnection
_PAGE = 5000
_IDS = 500  # in one query of the evidence

log = logging.getLogger(__name__)


@contextlib.contextmanager
def tailing(tailer: Tailer) -> Iterator[None]:
    """Run a tailer in a thread during the block."""
    thread = threading.Thread(target=tailer.run, name="alert-tailer", daemon=True)
    thread.start()
    try:
        yield
    finally:
        tailer.stop()
        thread.join()


class Tailer:
    """Reads alert rows from the store and counts them into alerts of the state. Used by one thread."""

    def __init__(
        self,
        state: State,
        storage: Storage,
        arrivals: Arrivals,
        *,
        late: datetime.timedelta,
        hub: Hub,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._state = state
        self._storage = storage
        self._arrivals = arrivals
        self._late = late
        self._hub = hub
        self._metrics = metrics
        self._clock = clock
        self._failures = FailureLog(log, "alerts are not taken")

    def run(self) -> None:
        """Take alerts until ``stop``."""
        swept = float("-inf")
        told: datetime.datetime | None = None
        while not self._arrivals.closed:
            sweep = time.monotonic() - swept >= _SWEEP_SECONDS
            if self._try(self._clock.now() - self._late if sweep else told):
                swept = time.monotonic() if sweep else swept
            told = self._arrivals.wait(_TURN_SECONDS)

    def stop(self) -> None:
        """Let ``run`` end; from any thread."""
        self._arrivals.close()

    # Any error: a bug in taking one alert must not end the taking of all others, since the thread would not come back.
    def _try(self, since: datetime.datetime | None) -> bool:
        try:
            self.turn(since)
        except Exception as error:  # noqa: BLE001
            self._metrics.tailer_failures.inc()
            self._failures.failed(error)
            return False
        self._failures.succeeded()
        return True

    def turn(self, since: datetime.datetime | None = None) -> int:
        """Take the alerts of rows from ``since`` (UTC) on; ``None``: since the last turn.

        Returns the number of alerts that were not counted before. Raises ``StoreError`` and ``StateError``.
        """
        begun = self._clock.now()
        with self._state.reading() as session:
            position = alerts.position(session) or begun - self._late
        start = min(since or begun, position - _OVERLAP)
        taken = sum(map(self._take, _pages(self._storage, start)))
        # Occurrences are kept twice as long as alerts may be late, so that a late row cannot be counted again.
        with self._state.writing() as session:
            alerts.set_position(session, begun)
            alerts.drop_occurrences(session, begun - 2 * self._late)
        return taken

    def _take(self, infos: Sequence[dict[str, Any]]) -> int:
        with self._state.reading() as session:
            known = alerts.known(session, [info["AlertId"] for info in infos])
        fresh = {info["AlertId"]: info for info in infos if info["AlertId"] not in known}
        findings = list(_findings(self._storage, list(fresh.values())))
        self._metrics.occurrences.labels("incomplete").inc(len(fresh) - len(findings))
        if findings:
            self._commit(findings)
        return len(findings)

    def _commit(self, findings: Sequence[Finding]) -> None:
        with self._state.writing() as session:
            outcomes = count_findings(session, findings, now=self._clock.now())
        for outcome, count in outcomes.items():
            self._metrics.occurrences.labels(outcome).inc(count)
        self._hub.signal(ALERTS)


def _pages(storage: Storage, start: datetime.datetime) -> Iterator[list[dict[str, Any]]]:
    limit = _PAGE
    while True:
        where = [Filter("Timestamp", ">=", start.isoformat())]
        rows = storage.select(RowQuery(table="AlertInfo", where=where, order="Timestamp", limit=limit)).to_pylist()
        yield rows
        if len(rows) < limit or limit >= MAX_ROWS:
            return
        # A full page of rows of the same time would be read for ever: the next page starts at its last time.
        limit = limit * 2 if rows[-1]["Timestamp"] == start else _PAGE
        start = rows[-1]["Timestamp"]


# Evidence is not older than its alert, so the time bounds the files that the query reads.
def _findings(storage: Storage, infos: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    for begin in range(0, len(infos), _IDS):
        part = infos[begin : begin + _IDS]
        evidence = defaultdict(list)
        where = [
            Filter("AlertId", "in", [info["AlertId"] for info in part]),
            Filter("Timestamp", ">=", min(info["Timestamp"] for info in part).isoformat()),
        ]
        for row in storage.select(RowQuery(table="AlertEvidence", where=where, limit=MAX_ROWS)).to_pylist():
            evidence[row["AlertId"]].append(row)
        found = (finding_of(info, evidence[info["AlertId"]]) for info in part)
        yield from (finding for finding in found if finding)
