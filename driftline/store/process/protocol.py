"""How a request to the process that owns a store, and its answer, look on the socket.

A request is four bytes of length and JSON (``query.messages``). The answer is one byte of status, eight
of length, and a body: an Arrow IPC stream, JSON, or a ``Failure`` as JSON. Lengths are
little-endian. Who hangs up before the answer came has cancelled the request, if it is a hunt.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

import msgspec
import pyarrow as pa

from driftline import errors
from driftline.errors import DriftlineError, InvalidInput, Problem, StoreError
from driftline.kql import QueryProblem
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
"""The socket's name in the store's directory."""
REQUEST_HEAD = struct.Struct("<I")
RESPONSE_HEAD = struct.Struct("<BQ")
REQUEST_MAX = 1 << 20
BATCH_ROWS = 8192
"""Most rows of a batch of an answer, so that who passes it on never holds much."""
ROWS, RECORD, FAILED = range(3)

Response = pa.Table | Explanation | Mapping[str, TableStatistics] | Sequence[str] | int
T = TypeVar("T")


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong: the name of an error, and its message or, with their places, its problems."""

    kind: str
    message: str = ""
    problems: Sequence[Mapping[str, Any]] = ()


# From the special to the general: an error that is not told by its own name is told by a base's.
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
    """Give a request as it goes onto the socket, its length included."""
    body = msgspec.json.encode(request)
    return REQUEST_HEAD.pack(len(body)) + body


def decode_request(body: bytes) -> Request:
    """Read a request; raises ``InvalidInput``."""
    try:
        return _request.decode(body)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"not a request: {error}") from error


def encode_response(response: Response) -> tuple[int, bytes | memoryview]:
    """Give the status and body of an answer."""
    if not isinstance(response, pa.Table):
        return RECORD, msgspec.json.encode(response)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, response.schema) as writer:
        writer.write_table(response, BATCH_ROWS)
    return ROWS, memoryview(sink.getvalue())


def encode_error(error: DriftlineError) -> tuple[int, bytes]:
    """Give the status and body of what went wrong."""
    kind = next((name for name, kind in _KINDS.items() if isinstance(error, kind)), StoreError.__name__)
    if isinstance(error, InvalidInput):
        failure = Failure(kind=kind, problems=[dataclasses.asdict(problem) for problem in error.problems])
    else:
        failure = Failure(kind=kind, message=str(error))
    return FAILED, msgspec.json.encode(failure)


def decode_response(status: int, body: bytes | memoryview, kind: type[T]) -> T:
    """Read an answer that is a ``kind``; raises what it says went wrong."""
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
