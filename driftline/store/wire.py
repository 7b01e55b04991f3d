"""How a question to the store's process and its answer look on the socket.

A question is four bytes of length and a JSON ``Query`` or ``Ask``; the answer is one byte of status,
eight of length, and a body: an Arrow IPC stream, a JSON ``Explained``, or what went wrong. Who hangs
up before the answer came has cancelled the question.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import pyarrow as pa

from driftline.errors import DriftlineError, InvalidInput, InvalidQuery, Problem, StoreError
from driftline.kql import QueryProblem
from driftline.store.query import Query
from driftline.store.stored import Ask, Explained

__all__ = ["ANSWER", "QUESTION", "Answer", "answer_body", "answer_of", "decode_question", "error_body"]

QUESTION = struct.Struct("<I")
ANSWER = struct.Struct("<BQ")
ROWS, FAILED, INVALID, EXPLAINED = range(4)

Answer = pa.Table | Explained
_question: msgspec.json.Decoder[Query | Ask] = msgspec.json.Decoder(Query | Ask)
_problems = msgspec.json.Decoder(list[dict[str, Any]])
_explained = msgspec.json.Decoder(Explained)


def decode_question(body: bytes) -> Query | Ask:
    """Read a question; raises ``InvalidInput``."""
    try:
        return _question.decode(body)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"not a question: {error}") from error


def answer_body(answer: Answer) -> tuple[int, bytes]:
    """Give the status and body of an answer."""
    if isinstance(answer, Explained):
        return EXPLAINED, msgspec.json.encode(answer)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, answer.schema) as writer:
        writer.write_table(answer)
    return ROWS, sink.getvalue().to_pybytes()


def error_body(error: DriftlineError) -> tuple[int, bytes]:
    """Give the status and body of what went wrong: a query's problems keep their places."""
    if isinstance(error, InvalidInput):
        return INVALID, msgspec.json.encode([_problem(problem) for problem in error.problems])
    return FAILED, str(error).encode()


def _problem(problem: Problem) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in type(problem).__dataclass_fields__}


def answer_of(status: int, body: bytes) -> Answer:
    """Read an answer; raises what it says went wrong."""
    if status == FAILED:
        raise StoreError(body.decode(errors="replace"))
    if status == INVALID:
        raise _invalid(_problems.decode(body))
    return _explained.decode(body) if status == EXPLAINED else pa.ipc.open_stream(body).read_all()


def _invalid(problems: list[dict[str, Any]]) -> InvalidInput:
    if all("offset" in problem for problem in problems):
        return InvalidQuery(*(QueryProblem(**problem) for problem in problems))
    return InvalidInput(*(Problem(**problem) for problem in problems))
