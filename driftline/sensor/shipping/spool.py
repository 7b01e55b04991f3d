"""The sensor's disk spool: batches that wait for the server, bounded, safe against kill and full disk.

A batch is one file, named by its rows' numbers, their count and its priority. What is put together is
there together: the files are written under names that do not count, then ``state.json`` names
them in one rename, then they get their own names; opening goes on where that broke off. So what
is durable agrees with how far the sensor's lines were taken, and after a crash at any point no
line is spooled twice and none is left out. A batch's checksum tells a disk that lied.

When there is no room, the oldest batches of the least valuable priority go, and are counted; of a
priority's own value or above nothing goes for a newcomer but its own oldest.

Numbers only grow: after each opening they begin at the time in microseconds, so that a spool that
was lost or restored from a copy never gives a number to two rows.
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
_STATE = "state.json"
_NEW = ".new"
_NAME = re.compile(r"(\d{20})-(\d{1,9})-(\d)\.batch")
_CRC_BYTES = 4
_BLOCK = 4096
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class Priority(enum.IntEnum):
    """What a batch is worth, the least first."""

    PLAIN = 0
    DRIFT = 1
    ALERT = 2


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One batch: the number of its first row, its rows, its priority, and its size on disk."""

    first: int
    rows: int
    priority: Priority
    size: int

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.first:020d}-{self.rows}-{self.priority:d}.batch"


class _State(msgspec.Struct):
    next: int = 0
    stream: str = ""
    taken: int = 0
    files: list[str] = []
    dropped: dict[str, int] = {}


class Spool:
    """The batches of one directory. Any thread may use it; one process at a time."""

    def __init__(self, directory: Path, *, max_bytes: int = MAX_BYTES, clock: Callable[[], float] = time.time) -> None:
        """Open a spool, making it if there is none; raises ``OSError`` if it cannot be read."""
        self._directory = directory
        self._max_bytes = max_bytes
        self._lock = threading.Condition()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._state = self._load_state()
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
        """Give the number of the last line of a stream that is in the spool or was."""
        return self._state.taken if self._state.stream == stream else 0

    def put(self, batches: Mapping[Priority, tuple[bytes, int]], *, stream: str, taken: int) -> None:
        """Take batches (their bytes and rows) made of a stream's lines up to number ``taken``.

        Durable on return, but for what had to be dropped, which is counted.
        """
        with self._lock:
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
        """Wait up to so many seconds for the most valuable, oldest batch; it is not dropped while held.

        One that the disk has damaged is dropped, and counted, and the next given.
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
        """Remove the held batch, for it is stored; or with a reason, for it is lost, which is counted."""
        with self._lock:
            self._held = None
            self._drop(entry, reason)

    def release(self) -> None:
        """Hold nothing any more; what was held stays."""
        with self._lock:
            self._held = None

    def floor(self) -> int:
        """Give the number below which this spool has nothing (any more)."""
        with self._lock:
            firsts = [next(iter(entries)) for entries in self._by_priority.values() if entries]
            return min(firsts, default=self._state.next)

    def take_dropped(self) -> Mapping[str, int]:
        """Give how many rows were dropped since the last call, by reason."""
        with self._lock:
            found, self._dropped = self._dropped, Counter()
            return found

    def wake(self) -> None:
        """End a wait in ``hold_next``."""
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

    # False if nothing may go for it, and the newcomer is what is dropped.
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
                _write_durably(self._directory / (entry.name + _NEW), zlib.crc32(data).to_bytes(_CRC_BYTES) + data)
            except OSError as error:
                if error.errno not in _NO_SPACE:
                    self._dropped["spool unwritable"] += entry.rows
                    return False
                if not self._drop_for(entry):
                    return False
            else:
                return True

    # False if the old state stays, and so nothing new counts.
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

    # Forward to what was committed; what was not is removed.
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
