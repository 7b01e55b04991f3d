"""Hunts over HTTP: what is found, by whom, within which limits."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pyarrow as pa
import pytest

from tests.server import raising, serving
from tests.server.serving import Served


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("server")
    raising.store(directory / "store", [raising.alert(cluster=cluster, ago=60) for cluster in ("eu", "eu", "us")])
    with serving.serve(directory, "--set", "hunt_seconds=5") as running:
        yield running


def rows(served: Served, query: str, **more: object) -> list[dict[str, object]]:
    answer = served.admin.post("/hunt", json={"query": query, **more})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["rows"])


def test_rows_and_columns_with_their_types(served: Served) -> None:
    query = "CloudProcessEvents | summarize n = count(), first = min(Timestamp) by ClusterName | top 1 by n"

    answer = served.admin.post("/hunt", json={"query": query}).json()

    types = {column["name"]: column["type"] for column in answer["columns"]}
    assert types == {"ClusterName": "string", "n": "long", "first": "datetime"}
    assert (answer["rows"][0]["ClusterName"], answer["rows"][0]["n"], answer["truncated"]) == ("eu", 2, False)


def test_values_json_has_no_number_for(served: Served) -> None:
    assert rows(served, "print a = real(nan), b = real(+inf), c = 90s, d = dynamic({'x': [1]}), e = long(null)") == [
        {"a": "nan", "b": "inf", "c": "00:01:30", "d": {"x": [1]}, "e": None}]  # fmt: skip


def test_an_arrow_stream(served: Served) -> None:
    headers = {"Accept": "application/vnd.apache.arrow.stream"}
    answer = served.admin.post(
        "/hunt", json={"query": "range i from 1 to 20000 step 1", "limit": 15000}, headers=headers
    )

    table = pa.ipc.open_stream(answer.content).read_all()

    assert (table.num_rows, answer.headers["x-truncated"]) == (15000, "true")
    assert table.schema.field("i").metadata == {b"kusto": b"long"}


def test_a_timespan_leaves_out_what_is_older(served: Served) -> None:
    assert rows(served, "CloudProcessEvents | count", timespan="30s") == [{"Count": 0}]
    assert rows(served, "CloudProcessEvents | count", timespan="1h") == [{"Count": 3}]


@pytest.mark.parametrize("table", ["CloudProcessEvents", "AlertEvidence", "AlertInfo", "SensorHealth"])
def test_rows_of_other_clusters_are_not_there(served: Served, table: str) -> None:
    full = served.admin.post("/hunt", json={"query": f"{table} | count"}).json()["rows"][0]["Count"]
    client = served.user(f"eu-{table}", "viewer", ["eu"])
    seen = client.post("/hunt", json={"query": f"{table} | count"}).json()["rows"][0]["Count"]
    none = served.user(f"none-{table}", "viewer", []).post("/hunt", json={"query": f"{table} | count"})

    assert (seen, none.json()["rows"]) == (full * 2 // 3, [{"Count": 0}])


def test_no_way_around_by_union_or_join(served: Served) -> None:
    client = served.user("clever", "viewer", ["eu"])
    query = "union * | where ClusterName == 'us' or CloudResource == 'us' | count"

    assert client.post("/hunt", json={"query": query}).json()["rows"] == [{"Count": 0}]


def test_what_is_wrong_is_told_with_its_span(served: Served) -> None:
    answer = served.admin.post("/hunt", json={"query": "CloudProcessEvents\n| wher 1 == 1"})

    (place,) = answer.json()["errors"]
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:driftline:problem:invalid-query")
    assert (place["line"], place["column"], place["offset"], place["length"]) == (2, 3, 21, 4)


def test_a_hunt_ends_in_time(served: Served) -> None:
    many = "range {0} from 1 to 100000 step 1 | extend k = 1"
    query = f"{many.format('i')} | join kind=inner ({many.format('j')}) on k | summarize sum(i * j)"

    answer = served.admin.post("/hunt", json={"query": query})

    assert answer.status_code in (400, 422)


def test_every_hunt_is_in_the_audit_trail_also_a_wrong_one(served: Served) -> None:
    client = served.user("told", "viewer", ["eu"])
    for query in ("print 'of the audit'", "wrong | wrong"):
        client.post("/hunt", json={"query": query})

    entries = served.admin.get("/audit", params={"action": "hunt", "actor": "told"}).json()["items"]

    assert [entry["detail"]["query"] for entry in entries] == ["wrong | wrong", "print 'of the audit'"]


def test_the_tables_there_are(served: Served) -> None:
    tables = {table["name"]: table["columns"] for table in served.admin.get("/tables").json()}

    assert tables["CloudProcessEvents"][0] == {
        "name": "Timestamp", "type": "datetime", "description": "When it happened, UTC"} | {
        "description": tables["CloudProcessEvents"][0]["description"]}  # fmt: skip
    assert set(tables) >= {"CloudProcessEvents", "AlertInfo", "AlertEvidence", "SensorHealth"}


def test_live_rows_are_of_one_s_own_clusters(served: Served) -> None:
    log = served.process.log  # type: ignore[attr-defined] # see serving.start
    client = served.user("live", "viewer", ["eu"])
    with client.stream("GET", "/events/stream") as answer:
        lines = answer.iter_lines()
        next(lines)
        fresh = [raising.alert(cluster=cluster, rule="Live", ago=-5) for cluster in ("us", "eu")]
        raising.store(log.parent / "store", fresh)
        row = next(json.loads(line.removeprefix("data: ")) for line in lines if '"ClusterName"' in line)

    assert (row["ClusterName"], row["PolicyRule"]) == ("eu", "Live")
