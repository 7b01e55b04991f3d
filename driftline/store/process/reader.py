"""Reading a store: through its process while one serves it, from its files otherwise."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import msgspec
import pyarrow as pa

from driftline.errors import StoreError
from driftline.store.files.database import HOT, Database
from driftline.store.process.protocol import BATCH_ROWS, RESPONSE_HEAD, ROWS, SOCKET, decode_response, encode_request
from driftline.store.query.hunt_store import Explanation, Hunt
from driftline.store.query.limits import Stop
from driftline.store.query.messages import Backup, Check, Request, Statistics, TableStatistics
from driftline.store.query.row_query import RowQuery

__all__ = ["Reader", "RowStream", "is_store", "open_reader"]

_TIMEOUT_SECONDS = 60.0
_LONG_SECONDS: Mapping[type, float] = {Check: 3600.0, Backup: 3600.0}  # both read all there is
_DIRECT = threading.Lock()  # a second opening within the process would share the first's locked configuration
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RowStream:
    """An answer that is being read, with Kusto's types as ``hunt_tables.hunt`` gives them."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


class Reader:
    """A store to read from; close it, or use it in a ``with`` statement.

    The files are held open for a request only: as long as somebody reads them directly, no process
    can begin to serve them.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._client: _Client | None = None

    def select(self, query: RowQuery) -> pa.Table:
        """Answer a query; raises ``InvalidInput`` for one that asks for what is not there."""
        return self._asked(query, pa.Table, lambda database: database.select(query))

    def hunt(self, request: Hunt, *, stop: Stop | None = None) -> pa.Table:
        """Answer a hunt; raises ``InvalidQuery`` and ``StoreError``.

        An exception in the caller's thread meanwhile, such as Ctrl-C, ends the hunt, and so does
        ``stop`` from another.
        """
        with self.stream(request, stop=stop) as answer:
            return pa.Table.from_batches(answer.batches, answer.schema)

    @contextlib.contextmanager
    def stream(self, request: Hunt, *, stop: Stop | None = None) -> Iterator[RowStream]:
        """Answer a hunt, whose rows are read while they come; raises as ``hunt`` does.

        The answer is whole where it is made; here no more than a batch is held. What was not read
        when the context is left is not sent. Raises ``StoreError`` meanwhile if it is stopped.
        """
        stop, client = stop or Stop(), _connect(self._directory)  # one of its own: it may be hung up
        if client:
            with contextlib.closing(client), stop.on_stop(client.hang_up):
                yield client.stream(request, stop)
        else:
            rows = self._directly(lambda database: database.hunt(request, stop=stop))
            yield RowStream(rows.schema, iter(rows.to_batches(BATCH_ROWS)))

    def explain(self, request: Hunt) -> Explanation:
        """Tell how a hunt would run; raises as ``hunt`` does."""
        request = msgspec.structs.replace(request, explain=True)
        return self._asked(request, Explanation, lambda database: database.explain(request))

    def statistics(self) -> dict[str, TableStatistics]:
        """Count rows and files of each table."""
        return self._asked(Statistics(), dict[str, TableStatistics], Database.statistics)

    def check(self) -> list[str]:
        """Read everything; gives what is wrong, in words."""
        return self._asked(Check(), list[str], Database.check)

    def backup(self, destination: Path) -> int:
        """Copy the store into a new directory; gives the bytes. Raises ``InvalidInput`` and ``StoreError``."""
        request = Backup(str(destination.absolute()))
        return self._asked(request, int, lambda database: database.backup(destination))

    def _asked(self, request: Request, kind: type[T], directly: Callable[[Database], T]) -> T:
        self._client = self._client or _connect(self._directory)
        if self._client:
            return self._client.ask(request, kind)
        return self._directly(directly)

    def _directly(self, asked: Callable[[Database], T]) -> T:
        with _DIRECT:
            database = Database(self._directory, read_only=True)
            try:
                return asked(database)
            finally:
                database.close()

    def close(self) -> None:
        """Let go of the store."""
        if self._client:
            self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_store(directory: Path) -> bool:
    """Say whether there is a store."""
    return (directory / HOT).exists()


def open_reader(directory: Path) -> Reader:
    """Open a store for reading; raises ``StoreError`` if there is none."""
    if not is_store(directory):
        raise StoreError(f"there is no store at {directory}; `driftline sensor --store {directory}` makes one")
    return Reader(directory)


def _connect(directory: Path) -> _Client | None:
    try:
        return _Client(directory / SOCKET)
    except OSError:  # nobody serves it
        return None


class _Client:
    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_TIMEOUT_SECONDS)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._file = self._socket.makefile("rb")

    def ask(self, request: Request, kind: type[T]) -> T:
        with _translated(Stop()):
            status, length = self._begin(request)
            body = self._file.read(length)
        return decode_response(status, body, kind)

    def stream(self, request: Hunt, stop: Stop) -> RowStream:
        with _translated(stop):
            status, length = self._begin(request)
            if status == ROWS:
                rows = pa.ipc.open_stream(pa.PythonFile(self._file, "r"))
                return RowStream(rows.schema, _translating(rows, stop))
            body = self._file.read(length)
        return decode_response(status, body, RowStream)

    def _begin(self, request: Request) -> tuple[int, int]:
        self._socket.settimeout(_patience(request))
        self._socket.sendall(encode_request(request))
        status, length = RESPONSE_HEAD.unpack(self._file.read(RESPONSE_HEAD.size))
        return status, length

    def hang_up(self) -> None:
        with contextlib.suppress(OSError):  # it is closed already
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@contextlib.contextmanager
def _translated(stop: Stop) -> Iterator[None]:
    try:
        yield
    except (OSError, struct.error, pa.ArrowException) as error:
        raise StoreError(stop.reason or f"the store's process went away: {error}") from error


def _translating(rows: pa.RecordBatchReader, stop: Stop) -> Iterator[pa.RecordBatch]:
    with _translated(stop):
        yield from rows


def _patience(request: Request) -> float:
    own = request.seconds if isinstance(request, Hunt) else 0.0
    return own + _LONG_SECONDS.get(type(request), _TIMEOUT_SECONDS)
