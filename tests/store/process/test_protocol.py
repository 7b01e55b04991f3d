"""Requests, responses and errors survive encoding and decoding."""

from __future__ import annotations

import pyarrow as pa
import pytest

from driftline import errors
from driftline.errors import QueryProblem
from driftline.store.process import protocol
from driftline.store.process.protocol import Response
from driftline.store.query.hunt_store import Explanation, Hunt, TableScan
from driftline.store.query.messages import Backup, Check, Request, Statistics, TableStatistics
from driftline.store.query.row_query import RowQuery

EXPLAINED = Explanation(meaning="m", sql="s", engine="e", readings=(TableScan(table="T", files=1, of=2),))
COUNTED = {"T": TableStatistics(hot_rows=1, cold_rows=2, files=3, bytes=4)}
REQUESTS = [
    RowQuery(table="AlertInfo", where=[]),
    Hunt(text="print 1", clusters=("a",)),
    Statistics(),
    Check(),
    Backup("/x"),
]


@pytest.mark.parametrize("message", REQUESTS)
def test_requests_survive_encoding(message: Request) -> None:
    assert protocol.decode_request(protocol.encode_request(message)[protocol.REQUEST_HEAD.size :]) == message


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
def test_an_invalid_request_is_refused(body: bytes) -> None:
    with pytest.raises(errors.InvalidInput, match="not a request"):
        protocol.decode_request(body)


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (pa.table({"a": [1, 2]}), pa.Table),
        (EXPLAINED, Explanation),
        (COUNTED, dict[str, TableStatistics]),
        (["broken"], list[str]),
        (7, int),
    ],
)
def test_responses_survive_encoding(response: Response, kind: type[Response]) -> None:
    assert protocol.decode_response(*protocol.encode_response(response), kind) == response


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
        protocol.decode_response(*protocol.encode_error(error), pa.Table)

    assert (type(caught.value), str(caught.value)) == (type(error), str(error))
    assert getattr(caught.value, "find_problems", ()) == getattr(error, "find_problems", ())


def test_an_error_that_the_protocol_does_not_name_arrives_as_its_base_class() -> None:
    with pytest.raises(errors.InvalidInput, match="a hole") as caught:
        protocol.decode_response(*protocol.encode_error(errors.InvalidBatch("a hole")), int)

    assert type(caught.value) is errors.InvalidInput
