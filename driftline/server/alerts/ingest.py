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
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from driftline.server.alerts.arrivals import Arrivals
from driftline.server.alerts.findings import EVIDENCE, Finding, finding_of
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
_PAGE = 50_000
_IDS = 1000  # alerts whose evidence is read, and which are counted, at a time: other writers of the state go in between
_COUNTED = 200_000  # ids kept in memory

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
        # Ids known to be counted: most rows of the overlap are skipped without a question to the state.
        self._counted: dict[str, None] = {}
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

    def _take(self, rows: pa.Table) -> int:
        ids = pa.array(self._counted, pa.string())
        infos = {info["AlertId"]: info for info in rows.filter(pc.invert(pc.is_in(rows["AlertId"], ids))).to_pylist()}
        with self._state.reading() as session:
            known = alerts.known(session, list(infos))
        self._remember(known)
        fresh = [info for alert_id, info in infos.items() if alert_id not in known]
        return sum(self._take_some(fresh[begin : begin + _IDS]) for begin in range(0, len(fresh), _IDS))

    def _take_some(self, infos: Sequence[dict[str, Any]]) -> int:
        findings = list(_findings(self._storage, infos))
        self._metrics.occurrences.labels("incomplete").inc(len(infos) - len(findings))
        if findings:
            self._commit(findings)
            self._remember(finding.id for finding in findings)
        return len(findings)

    def _remember(self, ids: Iterable[str]) -> None:
        if len(self._counted) > _COUNTED:
            self._counted.clear()
        self._counted |= dict.fromkeys(ids)

    def _commit(self, findings: Sequence[Finding]) -> None:
        with self._state.writing() as session:
            outcomes = count_findings(session, findings, now=self._clock.now())
        for outcome, count in outcomes.items():
            self._metrics.occurrences.labels(outcome).inc(count)
        self._hub.signal(ALERTS)


def _pages(storage: Storage, start: datetime.datetime) -> Iterator[pa.Table]:
    limit = _PAGE
    while True:
        where = [Filter("Timestamp", ">=", start.isoformat())]
        rows = storage.select(RowQuery(table="AlertInfo", where=where, order="Timestamp", limit=limit))
        yield rows
        if len(rows) < limit or limit >= MAX_ROWS:
            return
        last = rows["Timestamp"][-1].as_py()
        # A full page of rows of the same time would be read for ever: the next page starts at its last time.
        limit = limit * 2 if last == start else _PAGE
        start = last


# Evidence is not older than its alert, so the time bounds the files that the query reads.
def _findings(storage: Storage, infos: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    evidence = defaultdict(list)
    where = [
        Filter("AlertId", "in", [info["AlertId"] for info in infos]),
        Filter("Timestamp", ">=", min(info["Timestamp"] for info in infos).isoformat()),
    ]
    rows = storage.select(RowQuery(table="AlertEvidence", where=where, limit=MAX_ROWS))
    for row in rows.select(EVIDENCE).to_pylist():
        evidence[row["AlertId"]].append(row)
    found = (finding_of(info, evidence[info["AlertId"]]) for info in infos)
    yield from (finding for finding in found if finding)
