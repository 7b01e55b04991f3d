"""Messages between a reader and the process that owns a store, on its Unix socket.

A request is a length of four bytes and JSON (``query.messages``). A response is a status of one
byte, a length of eight bytes, and a body: an Arrow IPC stream, JSON, or a ``Failure`` as JSON.
Lengths are in bytes, little-endian. One connection carries requests and responses in turn.

A client cancels its hunt by closing the connection before the response.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

import msgspec
import pyarrow as pa

from driftline import errors
from driftline.errors import DriftlineError, InvalidInput, Problem, QueryProblem, StoreError
from driftline.store.query.hunt_store import Explanation
from driftline.store.query.messages import Request, TableStatistics

__all__ = [
    "BATCH_ROWS",
    "REQUEST_HEAD",
    "REQUEST_MAX",
    "RESPONSE_HEAD",
    "ROWS",
    "SOCKET",
    "Response",
    "decode_request",
    "decode_response",
    "encode_error",
    "encode_request",
    "encode_response",
]

SOCKET = "store.sock"
"""Name of the socket in the store's directory."""
REQUEST_HEAD = struct.Struct("<I")
"""Length of the request in bytes."""
RESPONSE_HEAD = struct.Struct("<BQ")
"""Status, and length of the body in bytes."""
REQUEST_MAX = 1 << 20
"""Largest request, in bytes; the server closes the connection on a larger one."""
BATCH_ROWS = 8192
"""Most rows of one record batch in a response, so that a client that forwards batches holds little memory."""
ROWS, RECORD, FAILED = range(3)

Response = pa.Table | Explanation | Mapping[str, TableStatistics] | Sequence[str] | int
"""A response's value, by request: rows, a hunt's explanation, statistics by table, found problems, bytes copied."""
T = TypeVar("T")


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error on its way to the client: the name of its class, and its message or its problems.

    Problems keep their positions in the query, so that the client can point at them.
    """

    kind: str
    """Name of the error's class in ``driftline.errors``."""
    message: str = ""
    """Text of the error; empty if ``problems`` say it."""
    problems: Sequence[Mapping[str, Any]] = ()
    """Fields of each ``Problem`` or ``QueryProblem`` of an ``InvalidInput``."""


# From subclass to base class: an error of another class is sent as the first of these that it is an instance of.
_KINDS: Mapping[str, type[DriftlineError]] = {
    kind.__name__: kind
    for kind in (
        errors.InvalidQuery,
        errors.InvalidInput,
        errors.StoreBusy,
        errors.StoreFull,
        errors.StoreCorrupt,
        errors.StoreError,
    )
}
_request: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_failure = msgspec.json.Decoder(Failure)


def encode_request(request: Request) -> bytes:
    """Encode a request with its length, ready to be sent."""
    body = msgspec.json.encode(request)
    return REQUEST_HEAD.pack(len(body)) + body


def decode_request(body: bytes) -> Request:
    """Decode the JSON of a request, without its length.

    Raises ``InvalidInput`` for JSON that is no request, or has values beyond the bounds of its type.
    """
    try:
        return _request.decode(body)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"not a request: {error}") from error


# Arrow keeps the types and needs no parsing at the other end; JSON serves for the few small records.
def encode_response(response: Response) -> tuple[int, bytes | memoryview]:
    """Encode a value as the status and the body of a response.

    A table becomes an Arrow IPC stream of batches of at most ``BATCH_ROWS`` rows
    (https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format), any other value JSON.
    """
    if not isinstance(response, pa.Table):
        return RECORD, msgspec.json.encode(response)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, response.schema) as writer:
        writer.write_table(response, BATCH_ROWS)
    return ROWS, memoryview(sink.getvalue())


def encode_error(error: DriftlineError) -> tuple[int, bytes]:
    """Encode an error as the status and the body of a response.

    An error of a class that the protocol does not name is sent as its nearest base class.
    """
    # InvalidBatch, for instance, becomes InvalidInput: the client knows the names above only.
    kind = next((name for name, kind in _KINDS.items() if isinstance(error, kind)), StoreError.__name__)
    if isinstance(error, InvalidInput):
        failure = Failure(kind=kind, problems=[dataclasses.asdict(problem) for problem in error.problems])
    else:
        failure = Failure(kind=kind, message=str(error))
    return FAILED, msgspec.json.encode(failure)


def decode_response(status: int, body: bytes | memoryview, kind: type[T]) -> T:
    """Decode a response into a value of type ``kind``.

    Raises the error that the response carries: ``InvalidInput``, ``InvalidQuery``, ``StoreError`` or
    one of its subclasses.
    """
    if status == FAILED:
        raise _error(_failure.decode(body))
    if status == ROWS:
        return cast("T", pa.ipc.open_stream(pa.py_buffer(body)).read_all())
    return msgspec.json.decode(body, type=kind)


def _error(failure: Failure) -> DriftlineError:
    kind = _KINDS.get(failure.kind, StoreError)
    if issubclass(kind, InvalidInput):
        return kind(*(_problem(problem) for problem in failure.problems))
    return kind(failure.message)


def _problem(problem: Mapping[str, Any]) -> Problem:
    return msgspec.convert(problem, QueryProblem if "offset" in problem else Problem)
