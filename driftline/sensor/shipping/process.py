"""The shipping process: ``python -m driftline.sensor.shipping.process DIR URL POLICY STREAM``.

It reads messages (``events.stream``) from standard input and acknowledges them as the store's process does: eight
bytes after each step, the number of the last line that is safe. A line is safe when its batch is in the spool,
``DIR/spool``. A thread sends the batches from there over mutual TLS, with the credentials in ``DIR``, by descending
priority, and removes each batch that the server acknowledges. If POLICY is ``served``, the process also subscribes
to the server's policy (``policy_subscriber``).

Failures of sending:

- no connection, or another status than those below: the batch stays, and is tried again after a backoff, or after the
  server's ``Retry-After`` if that is longer.
- 400, 403, 413, 415: the server would refuse the batch again. It is dropped, counted and logged.
- 422: the content was refused. The batch is tried ``_TRIES_OF_ONE`` times, then dropped and counted.

Dropped rows are reported to the server as ``EventsLost`` rows with the reason.

The process exists so that the sensor needs neither HTTP nor Arrow in its memory, and because it outlives a killed
sensor: if standard input ends before the sensor's row ``SensorStopped``, the sensor was killed, and this process
reports that at once.
"""

from __future__ import annotations

import datetime
import logging
import os
import select
import signal
import struct
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import msgspec

import driftline
from driftline import wire
from driftline.errors import DriftlineError, InvalidInput
from driftline.events import Message, SensorHealth, stream
from driftline.private_files import keep_private
from driftline.sensor.reporting import run_markers
from driftline.sensor.shipping import credentials, priorities
from driftline.sensor.shipping.backoff import Backoff
from driftline.sensor.shipping.credentials import Credentials
from driftline.sensor.shipping.identity import SensorIdentity
from driftline.sensor.shipping.policy_subscriber import PolicySubscriber
from driftline.sensor.shipping.spool import Entry, Spool
from driftline.wire.protocol import FIRST_HEADER, FLOOR_HEADER, INGEST_PATH, TIME_HEADER, VERSION_HEADER

__all__ = ["Intake", "Sender", "main"]

_ACK = struct.Struct("<Q")
_CHUNK = 1 << 20
_BATCH_BYTES = 4 << 20
"""Bytes of lines after which a batch is written at once."""
_LINGER_SECONDS = 0.5
"""Seconds that lines gather in one batch. An alert does not wait."""
_LINGER_MAX_SECONDS = 10.0
_BACKLOG = 4
"""Waiting batches for which the linger grows by ``_LINGER_SECONDS``: few large batches cost the server less."""
_TICK_SECONDS = 1.0
_LAST_SECONDS = 5.0
"""Seconds for which rows are still sent after the end of standard input."""
_TIMEOUT_SECONDS = 30.0
_KEEP_ALIVE_SECONDS = 60.0
_RENEW_AGAIN_SECONDS = 300.0
_TRIES_OF_ONE = 10
"""Tries after which a batch that the server refuses for its content is dropped."""
_PERMANENT = frozenset({400, 403, 413, 415})
"""HTTP statuses that the server would return for the same batch again."""
_ABOUT_THE_BATCH = frozenset({422})
"""HTTP statuses that refuse the content of a batch; it is tried ``_TRIES_OF_ONE`` times."""
_log = logging.getLogger(__name__)


def main(directory: Path, url: str, policy: str, stream_id: str) -> None:
    """Ship until standard input ends, then for ``_LAST_SECONDS`` at most; raises ``DriftlineError``.

    ``policy`` is ``served`` or ``own``; ``stream_id`` identifies the numbering of the lines on standard input.
    """
    # A stop may signal the whole process group, and the sensor still has rows to send.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    known = credentials.load(directory)
    if known is None:
        raise InvalidInput(f"{directory} holds no certificate; enrol first")
    spool = Spool(directory / "spool")
    sender = Sender(spool, url, directory, known)
    sender.start()
    subscriber = PolicySubscriber(directory, url) if policy == "served" else None
    if subscriber:
        subscriber.start()
    intake = Intake(spool, known.identity, stream_id, subscriber)
    intake.run()
    if intake.killed:
        run_markers.remove(directory, intake.killed)
    sender.finish(_LAST_SECONDS)


class Intake:
    """Reader of standard input: gathers lines for a moment and writes them to the spool as batches."""

    def __init__(
        self,
        spool: Spool,
        identity: SensorIdentity,
        stream_id: str,
        subscriber: PolicySubscriber | None,
    ) -> None:
        """Take the spool, the identity for rows of its own, the stream's id, and the subscriber, if there is one."""
        self._spool = spool
        self._subscriber = subscriber
        self._identity = identity
        self._stream = stream_id
        self._lines: list[bytes] = []
        self._size = 0
        self._taken = spool.taken(stream_id)
        self._due = 0.0
        self._stop_reported = False
        self._run_id = ""
        self.killed = ""
        """Id of the sensor's run if it ended without ``SensorStopped`` and that was reported; else empty."""

    def run(self) -> None:
        """Read lines until the end of standard input."""
        os.write(1, _ACK.pack(self._taken))
        rest = b""
        while True:
            # Wakes for input, for the end of the linger, or for dropped rows to report.
            if select.select([0], [], [], self._wait_seconds())[0]:
                chunk = os.read(0, _CHUNK)
                if not chunk:
                    break
                *lines, rest = (rest + chunk).split(b"\n")
                self._gather(lines)
            if self._is_due():
                self._flush()
        self._flush(self._farewell())
        self.killed = "" if self._stop_reported else self._run_id

    def _gather(self, lines: Sequence[bytes]) -> None:
        if not lines:
            return
        # The more batches wait, the longer the next one gathers: after an outage a few large ones are sent.
        if not self._lines:
            linger = _LINGER_SECONDS * (1 + len(self._spool) / _BACKLOG)
            self._due = time.monotonic() + min(linger, _LINGER_MAX_SECONDS)
        self._lines += lines
        self._size += sum(map(len, lines))
        if self._size > _BATCH_BYTES or any(map(stream.is_alert, lines)):
            self._due = 0.0

    def _wait_seconds(self) -> float:
        return max(0.0, self._due - time.monotonic()) if self._lines else _TICK_SECONDS

    def _is_due(self) -> bool:
        return time.monotonic() >= self._due if self._lines else True

    def _flush(self, more: Sequence[SensorHealth] = ()) -> None:
        messages = [*self._decoded(), *self._losses(), *more]
        # Acknowledged only after ``put``, which is durable on return.
        taken = self._taken + len(self._lines)
        if messages or taken > self._taken:
            self._spool.put(priorities.batches(messages), stream=self._stream, taken=taken)
        if taken > self._taken:
            os.write(1, _ACK.pack(taken))
        self._lines, self._size, self._taken = [], 0, taken

    def _decoded(self) -> list[Message]:
        messages: list[Message] = []
        for line in self._lines:
            try:
                messages.append(stream.decode(line))
            except msgspec.DecodeError as error:
                _log.error("a line is not a message: %s", error)
        for message in messages:
            if isinstance(message, SensorHealth):
                self._observe(message)
        return messages

    def _observe(self, row: SensorHealth) -> None:
        self._stop_reported = self._stop_reported or row.ActionType == "SensorStopped"
        self._run_id = row.SensorId
        if self._subscriber:
            self._subscriber.observe(row)

    # Rows that the spool dropped become rows themselves, in the next batch.
    def _losses(self) -> list[SensorHealth]:
        return [self._health("EventsLost", reason, count) for reason, count in self._spool.take_dropped().items()]

    # The flush decodes the last lines, one of which may be SensorStopped.
    def _farewell(self) -> list[SensorHealth]:
        self._flush()
        if self._stop_reported:
            return []
        return [self._health("SensorKilled", "its process ended without saying that it stops", 1)]

    # Rows of this process carry the enrolled sensor id, not the id of a run.
    def _health(self, action: str, reason: str, count: int) -> SensorHealth:
        return SensorHealth(
            Timestamp=datetime.datetime.now(datetime.UTC),
            ClusterName=self._identity.cluster,
            NodeName=self._identity.node,
            SensorId=self._identity.sensor,
            SensorVersion=driftline.__version__,
            ActionType=action,
            Reason=reason,
            Count=count,
        )


class Sender:
    """Sender of the spool's batches, one after the other, in a thread of its own.

    A batch is removed from the spool when the server has acknowledged it, or refused it for good. The server
    recognizes a repeated batch by its numbers, so a lost answer does not duplicate rows.
    """

    def __init__(self, spool: Spool, url: str, directory: Path, known: Credentials) -> None:
        """Take the spool, the server's URL, and the state directory with the credentials ``known``."""
        self._spool = spool
        self._url = url
        self._directory = directory
        self._credentials = known
        self._http = self._client()
        self._end = float("inf")
        self._stopping = threading.Event()
        self._backoff = Backoff(_log, failing="rows wait in the spool", fine="the server takes rows again")
        self._tries: tuple[int, int] = (0, 0)
        self._next_renewal = 0.0
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def finish(self, seconds: float) -> None:
        """Send for at most ``seconds`` more, and stop; the next process sends the remaining batches."""
        self._end = time.monotonic() + seconds
        self._stopping.set()
        self._spool.wake()
        self._thread.join(seconds + _TIMEOUT_SECONDS)

    def _client(self) -> httpx.Client:
        context = self._credentials.context()
        limits = httpx.Limits(max_connections=1, keepalive_expiry=_KEEP_ALIVE_SECONDS)
        return httpx.Client(
            base_url=self._url, verify=context, timeout=_TIMEOUT_SECONDS, limits=limits, trust_env=False
        )

    def _run(self) -> None:
        while time.monotonic() < self._end:
            self._renew_in_time()
            held = self._spool.hold_next(0.0 if self._stopping.is_set() else _TICK_SECONDS)
            if held is None:
                if self._stopping.is_set():
                    return
                continue
            self._rest(self._deliver(*held))

    # While stopping, only short pauses: the deadline of ``finish`` is near.
    def _rest(self, seconds: float) -> None:
        if self._stopping.is_set():
            time.sleep(min(seconds, _LINGER_SECONDS))
        else:
            self._stopping.wait(seconds)

    # Returns the seconds to wait before the next batch.
    def _deliver(self, entry: Entry, data: bytes) -> float:
        try:
            answer = self._http.post(INGEST_PATH, content=data, headers=self._headers(entry))
        except httpx.TransportError as error:
            self._spool.release()
            return self._backoff.failed(f"{self._url}: {error or type(error).__name__}{self._hint()}")
        if answer.is_success:
            self._spool.remove(entry)
            self._backoff.succeeded()
            return 0.0
        said = f"the server said {answer.status_code}: {credentials.error_detail(answer)}"
        if answer.status_code in _PERMANENT or self._is_hopeless(entry, answer.status_code):
            _log.error("a batch of %d rows is dropped: %s", entry.rows, said)
            self._spool.remove(entry, reason="refused by the server")
            return 0.0
        self._spool.release()
        return max(self._backoff.failed(said), _retry_after(answer))

    # A server ends the TLS handshake with an expired certificate without a message, so the reason is given here.
    def _hint(self) -> str:
        expires = self._credentials.expires
        if datetime.datetime.now(datetime.UTC) < expires:
            return ""
        return f"; the certificate ended at {expires}: remove {self._credentials.certificate} and join again"

    def _headers(self, entry: Entry) -> dict[str, str]:
        return {
            "Content-Type": wire.CONTENT_TYPE,
            FIRST_HEADER: str(entry.first),
            FLOOR_HEADER: str(self._spool.floor()),
            TIME_HEADER: str(time.time_ns() // 1000),
            VERSION_HEADER: driftline.__version__,
        }

    # Counts tries of one batch in a row; another batch starts the count again.
    def _is_hopeless(self, entry: Entry, status: int) -> bool:
        if status not in _ABOUT_THE_BATCH:
            return False
        tries = self._tries[1] + 1 if self._tries[0] == entry.first else 1
        self._tries = (entry.first, tries)
        return tries >= _TRIES_OF_ONE

    # Before each batch: a failed renewal is repeated after _RENEW_AGAIN_SECONDS, with the old certificate until then.
    def _renew_in_time(self) -> None:
        if datetime.datetime.now(datetime.UTC) < self._credentials.renew_after or time.monotonic() < self._next_renewal:
            return
        self._next_renewal = time.monotonic() + _RENEW_AGAIN_SECONDS
        try:
            self._credentials = credentials.renew(self._directory, self._url, self._credentials)
        except DriftlineError as error:
            _log.error("the certificate, which ends at %s, could not be renewed: %s", self._credentials.expires, error)
            return
        self._http.close()
        self._http = self._client()


# Retry-After in seconds (RFC 9110, section 10.2.3), at most 999; a date is ignored.
def _retry_after(answer: httpx.Response) -> float:
    value = answer.headers.get("retry-after", "")
    return float(value) if value.isdecimal() and len(value) < 4 else 0.0


if __name__ == "__main__":
    keep_private()
    logging.basicConfig(format="driftline: ship: %(levelname)s: %(message)s", level=logging.WARNING)
    try:
        main(Path(sys.argv[1]), *sys.argv[2:])
    except DriftlineError as failure:
        sys.exit(f"driftline: ship: {failure}")
