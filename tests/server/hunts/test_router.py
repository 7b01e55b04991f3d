"""Endpoints of hunts: answers, granted clusters, limits."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow as pa
import pytest

from driftline.store.process.writer import Writer, start_writer
from tests.server import raising, serving
from tests.server.serving import Served

SLOW = "range a from 1 to 3000000 step 1 | extend k = 1"
SLOW = f"{SLOW} | join kind=inner ({SLOW}) on k | summarize sum(a * a1)"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def writer(directory: Path) -> Iterator[Writer]:
    """The store's process, as beside a sensor or a server that takes in sensors."""
    writer = start_writer(directory / "store")
    raising.write(writer, [raising.alert(cluster=cluster, ago=60) for cluster in ("eu", "eu", "us")])
    yield writer
    writer.close()


@pytest.fixture(scope="module")
def served(directory: Path, writer: Writer) -> Iterator[Served]:
    with serving.serve(directory, "--set", "hunt_seconds=5", "--set", "hunts_at_once=3") as it:
        count = "union AlertInfo, CloudProcessEvents | count"
        serving.wait_until(lambda: rows(it, count) == [{"Count": 6}])
        yield it


def last(served: Served, actor: str) -> dict[str, object]:
    """Return the latest hunt of a user in the audit trail."""
    entries = served.admin.get("/audit", params={"action": "hunt", "actor": actor}).json()["items"]
    return dict(entries[0]["detail"]) if entries else {}


def rows(served: Served, query: str, **more: object) -> list[dict[str, object]]:
    answer = served.admin.post("/hunt", json={"query": query, **more})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["rows"])


def test_an_answer_has_rows_and_columns_with_kusto_types(served: Served) -> None:
    query = "CloudProcessEvents | summarize n = count(), first = min(Timestamp) by ClusterName | top 1 by n"

    answer = served.admin.post("/hunt", json={"query": query}).json()

    types = {column["name"]: column["type"] for column in answer["columns"]}
    assert types == {"ClusterName": "string", "n": "long", "first": "datetime"}
    assert (answer["rows"][0]["ClusterName"], answer["rows"][0]["n"], answer["truncated"]) == ("eu", 2, False)


def test_nan_and_infinity_are_text_in_json(served: Served) -> None:
    assert rows(served, "print a = real(nan), b = real(+inf), c = 90s, d = dynamic({'x': [1]}), e = long(null)") == [
        {"a": "nan", "b": "inf", "c": "00:01:30", "d": {"x": [1]}, "e": None}]  # fmt: skip


def test_an_answer_as_arrow_stream(served: Served) -> None:
    headers = {"Accept": "application/vnd.apache.arrow.stream"}
    answer = served.admin.post(
        "/hunt", json={"query": "range i from 1 to 20000 step 1", "limit": 15000}, headers=headers
    )

    table = pa.ipc.open_stream(answer.content).read_all()

    assert (table.num_rows, answer.headers["x-truncated"]) == (15000, "true")
    assert table.schema.field("i").metadata == {b"kusto": b"long"}


def test_a_timespan_excludes_older_rows(served: Served) -> None:
    assert rows(served, "CloudProcessEvents | count", timespan="30s") == [{"Count": 0}]
    assert rows(served, "CloudProcessEvents | count", timespan="1h") == [{"Count": 3}]


@pytest.mark.parametrize("table", ["CloudProcessEvents", "AlertEvidence", "AlertInfo", "SensorHealth"])
def test_a_hunt_reads_no_rows_of_other_clusters(served: Served, table: str) -> None:
    full = served.admin.post("/hunt", json={"query": f"{table} | count"}).json()["rows"][0]["Count"]
    client = served.user(f"eu-{table}", "viewer", ["eu"])
    seen = client.post("/hunt", json={"query": f"{table} | count"}).json()["rows"][0]["Count"]
    none = served.user(f"none-{table}", "viewer", []).post("/hunt", json={"query": f"{table} | count"})

    assert (seen, none.json()["rows"]) == (full * 2 // 3, [{"Count": 0}])


WAYS = [
    "union * | where * has 'us' | where ClusterName == 'us' or CloudResource == 'us' | count",
    "union kind=outer withsource=T Cloud*, Alert* | where ClusterName == 'us' or CloudResource == 'us' | count",
    "CloudProcessEvents | join kind=rightouter (CloudProcessEvents | where ClusterName == 'us') on ClusterName | count",
    "AlertInfo | join kind=inner (AlertEvidence | where CloudResource == 'us') on AlertId | count",
    "AlertEvidence | where CloudResource == 'us' | lookup AlertInfo on AlertId | count",
    "let T = CloudProcessEvents; let F = (c: string) { T | where ClusterName == c }; F('us') | count",
    "let F = view () { CloudProcessEvents }; union F, CloudProcessEvents | where ClusterName != 'eu' | count",
    "search * | where ClusterName == 'us' or CloudResource == 'us' | count",
    "search in (CloudProcessEvents, AlertEvidence) 'us' | where ClusterName == 'us' or CloudResource == 'us' | count",
    "find in (CloudProcessEvents) where ClusterName == 'us' | count",
    "find where ClusterName == 'us' | count",
    "CloudProcessEvents | extend b = pack_all() | where tostring(b.ClusterName) == 'us' | count",
    "CloudProcessEvents | summarize b = make_bag(pack(ClusterName, 1)) | mv-expand b | where tostring(b) has 'us'"
    " | count",
    "CloudProcessEvents | where toscalar(CloudProcessEvents | where ClusterName == 'us' | count) > 0 | count",
    "CloudProcessEvents | summarize by ClusterName | where ClusterName in ((CloudProcessEvents"
    " | where ClusterName != 'eu' | project ClusterName)) | count",
    "table('CloudProcessEvents') | where ClusterName == 'us' | count",
    "CloudProcessEvents | evaluate pivot(ClusterName) | getschema | where ColumnName == 'us' | count",
    "CloudProcessEvents | project b = pack(ClusterName, 1) | evaluate bag_unpack(b) | getschema"
    " | where ColumnName == 'us' | count",
    "CloudProcessEvents | as hint.materialized=true X | union X | where ClusterName == 'us' | count",
    "materialize(CloudProcessEvents) | where ClusterName == 'us' | count",
    "CloudProcessEvents | partition by ClusterName (where ClusterName == 'us') | count",
]  # fmt: skip


@pytest.fixture(scope="module")
def of_eu(served: Served) -> httpx.Client:
    return served.user("clever", "viewer", ["eu"])


@pytest.mark.parametrize("query", WAYS)
def test_no_operator_reaches_rows_of_another_cluster(served: Served, of_eu: httpx.Client, query: str) -> None:
    def count(client: httpx.Client) -> object:
        answer = client.post("/hunt", json={"query": query})
        assert answer.status_code == 200, answer.text
        return answer.json()["rows"][0]["Count"]

    assert count(of_eu) == 0
    assert count(served.admin)  # so it does find what there is


OUTSIDE = [
    "externaldata(a: string)['/etc/passwd']",
    "externaldata(a: string)[@'https://203.0.113.7/x'] with (format='csv')",
    "cluster('us').database('x').CloudProcessEvents",
    "database('x').CloudProcessEvents",
    "external_table('x')",
    "['_cold']",
    "['hot.main.CloudProcessEvents']",
    "evaluate sql_request('x', 'select 1')",
    "print read_text('/etc/passwd')",
    "CloudProcessEvents; drop table x",
]


@pytest.mark.parametrize("query", OUTSIDE)
def test_a_hunt_reads_hunting_tables_only(of_eu: httpx.Client, query: str) -> None:
    answer = of_eu.post("/hunt", json={"query": query})

    assert (answer.status_code, answer.json()["type"]) == (400, "urn:driftline:problem:invalid-query")
    assert answer.json()["errors"][0]["line"] == 1


def test_an_invalid_query_is_refused_with_its_span(served: Served) -> None:
    answer = served.admin.post("/hunt", json={"query": "CloudProcessEvents\n| wher 1 == 1"})

    (place,) = answer.json()["errors"]
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:driftline:problem:invalid-query")
    assert (place["line"], place["column"], place["offset"], place["length"]) == (2, 3, 21, 4)


def test_an_answer_as_json_lines(served: Served) -> None:
    headers = {"Accept": "text/csv, application/jsonl;q=0.9"}
    answer = served.admin.post("/hunt", json={"query": "range i from 1 to 20000 step 1"}, headers=headers)

    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert (answer.headers["content-type"], answer.headers["x-truncated"]) == ("application/jsonl", "true")
    assert lines == [{"i": number} for number in range(1, 10_001)]


def test_parameters_are_passed_to_the_query(served: Served) -> None:
    query = "declare query_parameters(c: string, n: long = 2); CloudProcessEvents | where ClusterName == c | take n"

    assert len(rows(served, query, parameters={"c": "us"})) == 1
    assert len(rows(served, query, parameters={"c": "eu", "n": "1"})) == 1


def test_columns_may_depend_on_the_rows(served: Served) -> None:
    assert rows(served, "CloudProcessEvents | evaluate pivot(ClusterName, count(), FileName)") == [
        {"FileName": "miner", "eu": 2, "us": 1}]  # fmt: skip


def test_a_hunt_ends_at_its_time_limit(served: Served) -> None:
    client = served.user("slow", "viewer")

    answer = client.post("/hunt", json={"query": SLOW})

    assert (answer.status_code, answer.json()["type"]) == (422, "urn:driftline:problem:store-refused")
    assert "took longer than 5 s" in answer.json()["detail"]
    assert last(served, "slow")["outcome"] == "store-refused"


def test_a_disconnect_cancels_the_hunt(served: Served) -> None:
    client = served.user("hasty", "viewer")
    begun = datetime.datetime.now(datetime.UTC)
    with pytest.raises(httpx.ReadTimeout):
        client.post("/hunt", json={"query": SLOW}, timeout=0.5)

    told = serving.wait_until(lambda: last(served, "hasty"))

    assert (told["outcome"], told["error"]) == ("cancelled", "the client disconnected")
    assert datetime.datetime.now(datetime.UTC) - begun < datetime.timedelta(seconds=4)  # before its time was over


def test_a_disconnect_during_the_response_cancels_the_hunt(served: Served) -> None:
    client = served.user("sated", "viewer")
    query = {"query": "range a from 1 to 900000 step 1 | extend b = strcat('a text that is long', a)", "limit": 900_000}
    with client.stream("POST", "/hunt", json=query, headers={"Accept": "application/jsonl"}) as answer:
        next(answer.iter_lines())

    told = serving.wait_until(lambda: last(served, "sated"))

    assert told["outcome"] == "cancelled"
    assert 0 < int(str(told["rows"])) < 900_000


def test_every_hunt_is_in_the_audit_trail(served: Served) -> None:
    client = served.user("told", "viewer", ["eu"])
    declared = "declare query_parameters(n: long); range a from 1 to n step 1"
    client.post("/hunt", json={"query": declared, "parameters": {"n": "3"}, "timespan": "1d"})
    good = last(served, "told")
    client.post("/hunt", json={"query": "wrong | wrong"})
    wrong = last(served, "told")

    assert float(str(good.pop("seconds"))) > 0
    assert good == {
        "query": declared, "parameters": {"n": "3"}, "timespan": "1d", "clusters": ["eu"], "outcome": "ok", "rows": 3,
    }  # fmt: skip
    assert (wrong["query"], wrong["outcome"], wrong["rows"]) == ("wrong | wrong", "invalid-query", 0)
    assert "wrong" in str(wrong["error"])


def test_the_hunting_tables_are_listed(served: Served) -> None:
    tables = {table["name"]: table["columns"] for table in served.admin.get("/tables").json()}

    assert tables["CloudProcessEvents"][0] == {
        "name": "Timestamp", "type": "datetime", "description": "When it happened, UTC"} | {
        "description": tables["CloudProcessEvents"][0]["description"]}  # fmt: skip
    assert set(tables) >= {"CloudProcessEvents", "AlertInfo", "AlertEvidence", "SensorHealth"}


def test_the_stream_has_only_rows_of_granted_clusters(served: Served, writer: Writer) -> None:
    client = served.user("live", "viewer", ["eu"])
    with client.stream("GET", "/events/stream") as answer:
        lines = answer.iter_lines()
        next(lines)
        fresh = [raising.alert(cluster=cluster, rule="Live", ago=-5) for cluster in ("us", "eu")]
        raising.write(writer, fresh)
        row = next(json.loads(line.removeprefix("data: ")) for line in lines if '"ClusterName"' in line)

    assert (row["ClusterName"], row["PolicyRule"]) == ("eu", "Live")
