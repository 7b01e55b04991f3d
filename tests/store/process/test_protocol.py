"""Questions, answers and errors survive the way over the socket."""

from __future__ import annotations

import pyarrow as pa
import pytest

from driftline import errors
from driftline.kql import QueryProblem
from driftline.store.process import protocol
from driftline.store.process.protocol import Answer
from driftline.store.query.hunt_store import Ask, Explained, Reading
from driftline.store.query.messages import Backup, Check, Question, Statistics, TableStatistics
from driftline.store.query.row_query import Query

EXPLAINED = Explained(meaning="m", sql="s", engine="e", readings=(Reading(table="T", files=1, of=2),))
COUNTED = {"T": TableStatistics(hot_rows=1, cold_rows=2, files=3, bytes=4)}
QUESTIONS = [
    Query(table="AlertInfo", where=[]),
    Ask(text="print 1", clusters=("a",)),
    Statistics(),
    Check(),
    Backup("/x"),
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_questions(question: Question) -> None:
    assert protocol.decode_question(protocol.encode_question(question)[protocol.QUESTION.size :]) == question


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"{",
        b"\xff",
        b'{"type":"hunt"}',
        b'{"type":"sql","text":"x"}',
        b'{"type":"hunt","text":"x","seconds":1e9}',
        b'{"type":"hunt","text":"x","seconds":0}',
        b'{"type":"hunt","text":"x","rows":100000000}',
        b'{"type":"hunt","text":"x","size":1e6}',
    ],
)
def test_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises(errors.InvalidInput, match="not a question"):
        protocol.decode_question(body)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (pa.table({"a": [1, 2]}), pa.Table),
        (EXPLAINED, Explained),
        (COUNTED, dict[str, TableStatistics]),
        (["broken"], list[str]),
        (7, int),
    ],
)
def test_answers(answer: Answer, kind: type[Answer]) -> None:
    assert protocol.decode_answer(*protocol.encode_answer(answer), kind) == answer


@pytest.mark.parametrize(
    "error",
    [
        errors.StoreError("failed"),
        errors.StoreFull("full"),
        errors.StoreCorrupt("damaged"),
        errors.InvalidInput(errors.Problem("no table", 1, 2)),
        errors.InvalidQuery(),
        errors.InvalidQuery(QueryProblem("no column", 1, 2, "", 1, 5), QueryProblem("no table", 2)),
    ],
)
def test_errors_arrive_as_they_were_raised(error: errors.DriftlineError) -> None:
    with pytest.raises(errors.DriftlineError) as caught:
        protocol.decode_answer(*protocol.encode_error(error), pa.Table)

    assert (type(caught.value), str(caught.value)) == (type(error), str(error))
    assert getattr(caught.value, "problems", ()) == getattr(error, "problems", ())


def test_an_error_of_no_name_here_arrives_as_its_base() -> None:
    with pytest.raises(errors.InvalidInput, match="a hole") as caught:
        protocol.decode_answer(*protocol.encode_error(errors.InvalidBatch("a hole")), int)

    assert type(caught.value) is errors.InvalidInput
