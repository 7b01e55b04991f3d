"""The sensor's disk spool: batches that wait for the server. Bounded; safe against kills and a full disk.

A batch is one file, named by the number of its first row, its row count and its priority. ``put`` is atomic over
several batches:

1. The files are written as ``NAME.new``, which do not count yet.
2. ``state.json`` names them, and how many lines of the sensor are taken; it is replaced by one rename.
3. The files are renamed to ``NAME``. Opening the spool completes this step after a crash.

So the durable batches agree with the lines taken: after a crash at any point no line is spooled twice and none is
left out. A CRC-32 in each file detects corruption by the disk.

If a new batch does not fit, the oldest batches of the lowest priority are dropped and counted. A batch of a higher
priority than the new one is never dropped for it.

Row numbers only grow. Each opening continues at the present time in microseconds, so that a spool that was lost or
restored from a copy never gives one number to two rows.
"""

from __future__ import annotations

import enum
import errno
import os
import re
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

__all__ = ["Entry", "Priority", "Spool"]

MAX_BYTES = 1 << 30
"""Bytes on disk, by default."""
_STATE = "state.json"
_NEW = ".new"
_NAME = re.compile(r"(\d{20})-(\d{1,9})-(\d)\.batch")
_CRC_BYTES = 4  # zlib.crc32 of the batch, big-endian, before it
_BLOCK = 4096  # a file occupies whole blocks
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class Priority(enum.IntEnum):
    """Priority of a batch, the lowest first. Part of the file name."""

    PLAIN = 0
    """Events without drift."""
    DRIFT = 1
    """Events with drift or unknown drift, and the sensor's health."""
    ALERT = 2
    """Alerts with their evidence."""


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One batch in the spool."""

    first: int
    """Number of its first row."""
    rows: int
    """Number of rows."""
    priority: Priority
    """Its priority."""
    size: int
    """Bytes on disk, in whole blocks."""

    @property
    def name(self) -> str:
        """Name of its file in the spool's directory."""
        return f"{self.first:020d}-{self.rows}-{self.priority:d}.batch"


class _State(msgspec.Struct):
    # Content of state.json.

    next: int = 0  # number of the next row
    stream: str = ""  # id of the stream whose lines were taken last
    taken: int = 0  # number of its last line taken
    files: list[str] = []  # batches of the last put, perhaps still named .new
    dropped: dict[str, int] = {}  # rows by reason, not yet reported


class Spool:
    """Spool in one directory. Any thread may use it, but only one process at a time."""

    def __init__(self, directory: Path, *, max_bytes: int = MAX_BYTES, clock: Callable[[], float] = time.time) -> None:
        """Open the spool in ``directory``, or create it; raises ``OSError`` if it cannot be read.

        ``max_bytes`` bounds its size on disk; ``clock`` gives seconds since 1970, for the first row number.
        """
        self._directory = directory
        self._max_bytes = max_bytes
        self._lock = threading.Condition()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._state = self._load_state()
        # Not the stored number alone: the spool may be an older copy.
        self._state.next = max(self._state.next, int(clock() * 1e6))
        self._dropped = Counter(self._state.dropped)
        self._by_priority: dict[Priority, dict[int, Entry]] = {priority: {} for priority in Priority}
        self._bytes = 0
        self._held: Entry | None = None
        for entry in sorted(self._recovered()):
            self._add(entry)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self._bytes

    def __len__(self) -> int:
        return sum(len(entries) for entries in self._by_priority.values())

    def taken(self, stream: str) -> int:
        """Return the number of the last line of ``stream`` that was put; 0 if the last put was of another stream."""
        return self._state.taken if self._state.stream == stream else 0

    def put(self, batches: Mapping[Priority, tuple[bytes, int]], *, stream: str, taken: int) -> None:
        """Add batches: the bytes and the row count of each priority.

        They are made of the lines of ``stream`` up to number ``taken``. On return they are durable, except those that
        had to be dropped, which are counted.
        """
        with self._lock:
            # Highest priority first: it gets its room before a lower one of the same put.
            entries = [self._number(priority, *batches[priority]) for priority in sorted(batches, reverse=True)]
            kept = [entry for entry in entries if self._make_room(entry) and self._write(entry, batches)]
            self._state.stream, self._state.taken = stream, taken
            if not self._commit(kept):
                self._dropped["spool unwritable"] += sum(entry.rows for entry in kept)
                return
            for entry in kept:
                self._rename(entry.name)
                self._add(entry)
            self._lock.notify_all()

    def hold_next(self, timeout: float) -> tuple[Entry, bytes] | None:
        """Return the oldest batch of the highest priority; ``None`` if there is none within ``timeout`` seconds.

        The batch is held: it is not dropped until ``remove`` or ``release``. A batch that the disk has damaged is
        dropped and counted, and the next one returned.
        """
        with self._lock:
            self._lock.wait_for(lambda: len(self) > 0, timeout)
            while entry := self._most_valuable():
                data = self._read(entry)
                if data is not None:
                    self._held = entry
                    return entry, data
                self._drop(entry, "spool damaged")
            return None

    def remove(self, entry: Entry, *, reason: str = "") -> None:
        """Remove the held batch: the server has stored it, or with a ``reason`` its rows are counted as dropped."""
        with self._lock:
            self._held = None
            self._drop(entry, reason)

    def release(self) -> None:
        """Stop holding the held batch; it stays in the spool."""
        with self._lock:
            self._held = None

    def floor(self) -> int:
        """Return the smallest row number in the spool, or the next number if it is empty.

        No lower number is sent again, so the server need not remember lower ones.
        """
        with self._lock:
            firsts = [next(iter(entries)) for entries in self._by_priority.values() if entries]
            return min(firsts, default=self._state.next)

    def take_dropped(self) -> Mapping[str, int]:
        """Return the number of rows dropped since the last call, by reason."""
        with self._lock:
            found, self._dropped = self._dropped, Counter()
            return found

    def wake(self) -> None:
        """Wake a thread that waits in ``hold_next``."""
        with self._lock:
            self._lock.notify_all()

    def _number(self, priority: Priority, data: bytes, rows: int) -> Entry:
        first = self._state.next
        self._state.next += rows
        return Entry(first, rows, priority, _on_disk(len(data) + _CRC_BYTES))

    def _make_room(self, entry: Entry) -> bool:
        while self._bytes + entry.size > self._max_bytes:
            if not self._drop_for(entry):
                return False
        return True

    # Drop one batch to make room. False if none may be dropped for the new one, which is then counted as dropped.
    def _drop_for(self, newcomer: Entry) -> bool:
        if self._drop_least(newcomer.priority):
            return True
        self._dropped["spool full"] += newcomer.rows
        return False

    def _drop_least(self, highest: Priority = Priority.ALERT) -> bool:
        for priority in Priority:
            victim = next((entry for entry in self._by_priority[priority].values() if entry != self._held), None)
            if victim is not None and priority <= highest:
                self._drop(victim, "spool full")
                return True
        return False

    def _write(self, entry: Entry, batches: Mapping[Priority, tuple[bytes, int]]) -> bool:
        data, _ = batches[entry.priority]
        while True:
            try:
                # On a full disk batches are dropped until the new one fits, as with a full spool.
                _write_durably(self._directory / (entry.name + _NEW), zlib.crc32(data).to_bytes(_CRC_BYTES) + data)
            except OSError as error:
                if error.errno not in _NO_SPACE:
                    self._dropped["spool unwritable"] += entry.rows
                    return False
                if not self._drop_for(entry):
                    return False
            else:
                return True

    # False if state.json could not be replaced: the old state is in force, and the new batches do not count.
    def _commit(self, kept: Sequence[Entry]) -> bool:
        self._state.files = [entry.name for entry in kept]
        self._state.dropped = dict(self._dropped)
        path = self._directory / _STATE
        while True:
            try:
                _write_durably(path.with_suffix(_NEW), msgspec.json.encode(self._state))
                path.with_suffix(_NEW).rename(path)
                _sync_directory(self._directory)
            except OSError as error:
                if error.errno not in _NO_SPACE or not self._drop_least():
                    return self._give_up(kept)
            else:
                return True

    def _give_up(self, kept: Sequence[Entry]) -> bool:
        for entry in kept:
            (self._directory / (entry.name + _NEW)).unlink(missing_ok=True)
        return False

    def _rename(self, name: str) -> None:
        (self._directory / (name + _NEW)).rename(self._directory / name)

    def _add(self, entry: Entry) -> None:
        self._by_priority[entry.priority][entry.first] = entry
        self._bytes += entry.size

    def _drop(self, entry: Entry, reason: str) -> None:
        if self._by_priority[entry.priority].pop(entry.first, None) is None:
            return
        self._bytes -= entry.size
        (self._directory / entry.name).unlink(missing_ok=True)
        if reason:
            self._dropped[reason] += entry.rows

    def _most_valuable(self) -> Entry | None:
        return next((entry for priority in reversed(Priority) for entry in self._by_priority[priority].values()), None)

    def _read(self, entry: Entry) -> bytes | None:
        try:
            data = (self._directory / entry.name).read_bytes()
        except FileNotFoundError:
            return None
        whole = len(data) >= _CRC_BYTES and zlib.crc32(data[_CRC_BYTES:]).to_bytes(_CRC_BYTES) == data[:_CRC_BYTES]
        return data[_CRC_BYTES:] if whole else None

    def _load_state(self) -> _State:
        try:
            return msgspec.json.decode((self._directory / _STATE).read_bytes(), type=_State)
        except (FileNotFoundError, msgspec.DecodeError):
            return _State()

    # Completes a put that state.json has committed, and removes the files of one that it has not.
    def _recovered(self) -> Iterable[Entry]:
        for name in self._state.files:
            if (self._directory / (name + _NEW)).exists():
                self._rename(name)
        for path in list(self._directory.iterdir()):
            if path.suffix == _NEW:
                path.unlink()
            elif match := _NAME.fullmatch(path.name):
                yield Entry(int(match[1]), int(match[2]), Priority(int(match[3])), _on_disk(path.stat().st_size))


def _on_disk(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _write_durably(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fdatasync(fd)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
