"""Reading a store: through its process if one has it open, otherwise from its files.

DuckDB lets either one process open a file for writing or several open it read-only
(https://duckdb.org/docs/stable/connect/concurrency). So a reader first tries the socket of the
process that writes, and opens the files itself only if no process listens there.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

import msgspec
import pyarrow as pa

from driftline.errors import StoreError
from driftline.store.process.protocol import BATCH_ROWS, RESPONSE_HEAD, ROWS, SOCKET, decode_response, encode_request
from driftline.store.query.hunt_store import Explanation, Hunt
from driftline.store.query.limits import Stop
from driftline.store.query.messages import Backup, Check, Request, Statistics, TableStatistics
from driftline.store.query.row_query import RowQuery
from driftline.store.query.translators import Translators
from driftline.store.schema import HOT

if TYPE_CHECKING:
    from driftline.store.files.database import Database

__all__ = ["Reader", "RowStream", "is_store", "open_reader"]

_TIMEOUT_SECONDS = 60.0
_LONG_SECONDS: Mapping[type, float] = {Check: 3600.0, Backup: 3600.0}  # both read the whole store
# DuckDB shares one database between all connections of a process to the same file, and its configuration is
# locked after the first opening (``files.engine``). So one opening at a time.
_DIRECT = threading.Lock()
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RowStream:
    """Rows of a hunt that arrive in batches, with Kusto types as ``hunt_tables.hunt`` returns them."""

    schema: pa.Schema
    """Arrow schema; its metadata has ``results.TRUNCATED`` if rows were left out."""
    batches: Iterator[pa.RecordBatch]
    """Record batches of at most ``protocol.BATCH_ROWS`` rows; iterating raises ``StoreError`` once stopped."""


class Reader:
    """A store that is open for reading; close it, or use it in a ``with`` statement.

    Files that are read directly are held open for one request only: while a reader has them open,
    no process can open them for writing. One thread uses a reader at a time.

    Every method raises ``StoreError`` if the store cannot be read, or its process does not respond.
    """

    def __init__(self, directory: Path, translators: Translators | None = None) -> None:
        self._directory = directory
        self._translators = translators
        self._client: _Client | None = None

    def select(self, query: RowQuery) -> pa.Table:
        """Return the rows of a row query, with the columns' stored types.

        Raises ``InvalidInput`` for a table or column that does not exist.
        """
        return self._request(query, pa.Table, lambda database: database.select(query))

    def hunt(self, request: Hunt, *, stop: Stop | None = None) -> pa.Table:
        """Return all rows of a hunt; raises ``InvalidQuery`` and ``StoreError``.

        The hunt ends early with an exception in the caller's thread, such as Ctrl-C, and with ``stop``
        from another thread.
        """
        with self.stream(request, stop=stop) as rows:
            return pa.Table.from_batches(rows.batches, rows.schema)

    @contextlib.contextmanager
    def stream(self, request: Hunt, *, stop: Stop | None = None) -> Iterator[RowStream]:
        """Return a hunt's rows while they arrive; raises as ``hunt`` does.

        The process of the store computes the whole answer first; the reader holds one batch at a time.
        Rows that were not read when the context ends are not sent. Reading raises ``StoreError`` after
        ``stop``.
        """
        stop, client = stop or Stop(), _connect(self._directory)  # a connection of its own, for a stop closes it
        if client:
            with contextlib.closing(client), stop.on_stop(client.hang_up):
                yield client.stream(request, stop)
        else:
            rows = self._from_files(lambda database: database.hunt(request, stop=stop))
            yield RowStream(rows.schema, iter(rows.to_batches(BATCH_ROWS)))

    def explain(self, request: Hunt) -> Explanation:
        """Explain how a hunt would run, without running it; raises as ``hunt`` does."""
        request = msgspec.structs.replace(request, explain=True)
        return self._request(request, Explanation, lambda database: database.explain(request))

    def statistics(self) -> dict[str, TableStatistics]:
        """Count rows, files and bytes of each table."""
        return self._request(Statistics(), dict[str, TableStatistics], lambda database: database.statistics())

    def check(self) -> list[str]:
        """Read the whole store and return its problems, one sentence each; an empty list means that it is intact."""
        return self._request(Check(), list[str], lambda database: database.check())

    def backup(self, destination: Path) -> int:
        """Copy the store into a new directory and return the bytes copied.

        Raises ``InvalidInput`` if the directory exists, and ``StoreError`` if copying fails.
        """
        request = Backup(str(destination.absolute()))
        return self._request(request, int, lambda database: database.backup(destination))

    # The connection is kept for further requests. Without one, every request opens the files again, so that a process
    # may open them for writing between requests.
    def _request(self, request: Request, kind: type[T], from_files: Callable[[Database], T]) -> T:
        self._client = self._client or _connect(self._directory)
        if self._client:
            return self._client.request(request, kind)
        return self._from_files(from_files)

    def _from_files(self, work: Callable[[Database], T]) -> T:
        from driftline.store.files.database import Database  # noqa: PLC0415 -- a client of the process does without

        with _DIRECT:
            database = Database(self._directory, read_only=True, translators=self._translators)
            try:
                return work(database)
            finally:
                database.close()

    def close(self) -> None:
        """Close the connection to the store's process."""
        if self._client:
            self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_store(directory: Path) -> bool:
    """Return whether the directory holds a store."""
    return (directory / HOT).exists()


def open_reader(directory: Path, *, translators: Translators | None = None) -> Reader:
    """Open the store in a directory for reading; raises ``StoreError`` if there is none.

    ``translators`` translate hunts over files in processes that can be killed; without them, this process does.
    """
    if not is_store(directory):
        raise StoreError(f"there is no store at {directory}; `driftline sensor --store {directory}` makes one")
    return Reader(directory, translators)


def _connect(directory: Path) -> _Client | None:
    try:
        return _Client(directory / SOCKET)
    except OSError:  # no process listens
        return None


# One connection, with one request under way at a time.
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

    def request(self, request: Request, kind: type[T]) -> T:
        with _connection_errors(Stop()):
            status, length = self._begin(request)
            body = self._file.read(length)
        return decode_response(status, body, kind)

    # The status decides before the body is read: rows are passed on as they arrive, an error is read whole.
    def stream(self, request: Hunt, stop: Stop) -> RowStream:
        with _connection_errors(stop):
            status, length = self._begin(request)
            if status == ROWS:
                rows = pa.ipc.open_stream(pa.PythonFile(self._file, "r"))
                return RowStream(rows.schema, _read_batches(rows, stop))
            body = self._file.read(length)
        return decode_response(status, body, RowStream)

    def _begin(self, request: Request) -> tuple[int, int]:
        self._socket.settimeout(_timeout(request))
        self._socket.sendall(encode_request(request))
        status, length = RESPONSE_HEAD.unpack(self._file.read(RESPONSE_HEAD.size))
        return status, length

    # Another thread may be reading the socket: shutdown(2) ends its read, which close(2) would not.
    def hang_up(self) -> None:
        with contextlib.suppress(OSError):  # the connection is closed already
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._file.close()
        self._socket.close()


# Once a hunt was stopped, the closed connection is the consequence, and the reason of the stop the message.
@contextlib.contextmanager
def _connection_errors(stop: Stop) -> Iterator[None]:
    try:
        yield
    except (OSError, struct.error, pa.ArrowException) as error:
        raise StoreError(stop.reason or f"the connection to the store's process was lost: {error}") from error


def _read_batches(rows: pa.RecordBatchReader, stop: Stop) -> Iterator[pa.RecordBatch]:
    with _connection_errors(stop):
        yield from rows


# A hunt may take its own seconds; then the process needs some to notice, so the usual time is added.
def _timeout(request: Request) -> float:
    hunt_seconds = request.seconds if isinstance(request, Hunt) else 0.0
    return hunt_seconds + _LONG_SECONDS.get(type(request), _TIMEOUT_SECONDS)
