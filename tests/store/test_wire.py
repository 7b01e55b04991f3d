"""Questions and answers survive the way over the socket."""

from __future__ import annotations

import msgspec
import pyarrow as pa
import pytest

from driftline import errors
from driftline.store import wire
from driftline.store.query import Query
from driftline.store.stored import Ask, Explained, Reading

EXPLAINED = Explained(meaning="m", sql="s", engine="e", readings=(Reading(table="T", files=1, of=2),))


@pytest.mark.parametrize("question", [Query(table="AlertInfo", where=[]), Ask(text="print 1", clusters=("a",))])
def test_questions(question: Query | Ask) -> None:
    assert wire.decode_question(msgspec.json.encode(question)) == question


@pytest.mark.parametrize("body", [b"{}", b"{", b"\xff", b'{"type":"hunt"}', b'{"type":"sql","text":"x"}'])
def test_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises(errors.InvalidInput, match="not a question"):
        wire.decode_question(body)


@pytest.mark.parametrize("answer", [pa.table({"a": [1, 2]}), EXPLAINED])
def test_answers(answer: wire.Answer) -> None:
    assert wire.answer_of(*wire.answer_body(answer)) == answer


@pytest.mark.parametrize(
    "error", [errors.StoreError("full"), errors.InvalidInput(errors.Problem("no table", 1, 2)), errors.InvalidQuery()]
)
def test_errors(error: errors.DriftlineError) -> None:
    with pytest.raises(errors.DriftlineError) as caught:
        wire.answer_of(*wire.error_body(error))

    assert str(caught.value) == str(error)
