"""The store's own process: ``python -m driftline.store.process.service DIR STREAM``.

DuckDB lets one process open a file for writing, and needs some 50 MB of memory. So the privileged
sensor does not load DuckDB, and other processes send requests to this one.

The process reads messages (``events.stream``) from standard input and appends their rows in
batches: once a second, or at once if there is an alert among them. After each commit it writes the
number of the last stored message to standard output, as eight bytes, little-endian. It writes the
first number at its start: the sender continues after that message. On ``DIR/store.sock`` it
answers requests (``process.socket_server``).
"""

from __future__ import annotations

import datetime
import logging
import math
import os
import select
import struct
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from driftline.errors import DriftlineError, StoreBusy, StoreFull
from driftline.events import Record, stream
from driftline.private_files import keep_private
from driftline.store.files.database import Database
from driftline.store.files.housekeeping import run_housekeeping
from driftline.store.process import socket_server
from driftline.store.query.translators import Translators

__all__ = ["ACK", "main"]

ACK = struct.Struct("<Q")
"""Number of the last stored message, as written to standard output."""

_CHUNK = 1 << 20
_BATCH_BYTES = 16 << 20
_GATHER_SECONDS = 1.0
"""Seconds that rows without an alert wait for more rows of the same commit."""
_RETRY_SECONDS = 1.0
_OPEN_SECONDS = 3.0
_log = logging.getLogger(__name__)


def main(directory: Path, stream_id: str) -> None:
    """Store messages until standard input ends.

    ``stream_id`` names the sender's sequence of messages; its numbers start at 1. Raises
    ``StoreError`` if the store cannot be opened.
    """
    translators = Translators()
    database = _open(directory, translators)
    server = socket_server.SocketServer(database)
    threading.Thread(target=_keep_house, args=(database,), name="housekeeping", daemon=True).start()
    try:
        _append_until_end(database, stream_id)
    finally:
        server.close()
        database.close()
        translators.close()


# A reader without a running process opens the files itself, for the time of one request; wait that long.
def _open(directory: Path, translators: Translators) -> Database:
    deadline = time.monotonic() + _OPEN_SECONDS
    while True:
        try:
            return Database(directory, translators=translators)
        except StoreBusy:
            if time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS / 10)


def _append_until_end(database: Database, stream_id: str) -> None:
    sequence = database.sequence(stream_id)
    os.write(1, ACK.pack(sequence))
    for lines in _batches():
        sequence += len(lines)
        _append(database, lines, stream_id=stream_id, sequence=sequence)
        os.write(1, ACK.pack(sequence))


# A commit costs some milliseconds however many rows it has, which at a hundred commits a second was four fifths of the
# process's time. So lines gather; an alert ends the wait, and so does the end of standard input.
def _batches() -> Iterator[list[bytes]]:
    rest = b""
    is_open = True
    while is_open:
        lines: list[bytes] = []
        size = 0
        due = math.inf
        while size < _BATCH_BYTES and _has_input(due):
            chunk = os.read(0, _CHUNK)
            is_open = bool(chunk)
            if not is_open:
                break
            *whole, rest = (rest + chunk).split(b"\n")
            due = min(due, time.monotonic() + (0 if any(map(stream.is_alert, whole)) else _GATHER_SECONDS))
            lines += whole
            size += len(chunk)
        if lines:
            yield lines


# Once the time is due, input that has arrived already is still taken.
def _has_input(due: float) -> bool:
    wait = None if due == math.inf else max(0.0, due - time.monotonic())
    return bool(select.select([0], [], [], wait)[0])


# A full disk is the operator's to free; dropping rows meanwhile would lose them, so try again. The sender's
# memory is bounded, and the sender counts what it drops.
def _append(database: Database, lines: Sequence[bytes], *, stream_id: str, sequence: int) -> None:
    rows = _rows(lines)
    while True:
        try:
            database.append(rows, stream=stream_id, sequence=sequence)
        except StoreFull as error:
            _log.error("waiting for space: %s", error)
            time.sleep(_RETRY_SECONDS)
        else:
            return


# A line that is no message gets its number all the same, so that the sender's numbers and these agree.
def _rows(lines: Sequence[bytes]) -> dict[str, list[Record]]:
    rows: dict[str, list[Record]] = defaultdict(list)
    for line in lines:
        try:
            message = stream.decode(line)
        except msgspec.DecodeError as error:
            _log.error("a line is no message: %s", error)
            continue
        for table, record in stream.rows(message):
            rows[table].append(record)
    return rows


# A daemon thread, which ends with the process: a move of rows that is cut short leaves every row in one place.
def _keep_house(database: Database) -> None:
    run_housekeeping(database, threading.Event(), now=lambda: datetime.datetime.now(datetime.UTC))


if __name__ == "__main__":
    keep_private()
    logging.basicConfig(format="driftline: store: %(levelname)s: %(message)s")
    try:
        main(Path(sys.argv[1]), sys.argv[2])
    except DriftlineError as failure:
        sys.exit(f"driftline: store: {failure}")
    # Daemon threads may still hold DuckDB's objects, whose destructors fail once Python's interpreter shuts down.
    # Threads may still hold DuckDB's objects, which it complains of when Python tears them down.
    os._exit(0)
