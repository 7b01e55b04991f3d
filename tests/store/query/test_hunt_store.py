"""Hunts over a store: what they read, what they cannot read, and how they end."""

from __future__ import annotations

import datetime
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from driftline import errors
from driftline.events import AlertEvidence, AlertInfo, CloudProcessEvent, Record
from driftline.kql import Translation
from driftline.store.files.database import Database
from driftline.store.process.protocol import BATCH_ROWS, SOCKET, encode_request
from driftline.store.process.reader import open_reader
from driftline.store.process.writer import start_writer
from driftline.store.query import hunt_store
from driftline.store.query.hunt_store import Hunt
from driftline.store.query.limits import HuntRecord, Stop
from driftline.store.query.results import TRUNCATED

NOW = datetime.datetime.now(datetime.UTC)
DAYS = 4
SLOW = "range a from 1 to 3000000 step 1 | extend k = 1"
SLOW = f"{SLOW} | join kind=inner ({SLOW}) on k | summarize sum(a * a1)"


def event(days: float, name: str = "sh", cluster: str = "prod") -> CloudProcessEvent:
    when = NOW - datetime.timedelta(days=days)
    return CloudProcessEvent(Timestamp=when, FileName=name, ClusterName=cluster, PodLabels={"app": name})


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold a row of each of the last days, all but today's in Parquet, and a row of another cluster."""
    path = tmp_path_factory.mktemp("store")
    database = Database(path)
    rows: list[Record] = [event(days) for days in range(DAYS)]
    database.sequence("s")
    database.append({"CloudProcessEvents": rows}, stream="s", sequence=1)
    database.append({"CloudProcessEvents": [event(2, "nc", "test")]}, stream="s", sequence=2)
    infos: list[Record] = [AlertInfo(Timestamp=NOW, AlertId=each, Title="t") for each in "abc"]
    evidence: list[Record] = [
        AlertEvidence(Timestamp=NOW, AlertId=each, CloudResource=cluster)
        for each, cluster in (("a", "prod"), ("b", "test"), ("c", ""))
    ]
    database.append({"AlertInfo": infos, "AlertEvidence": evidence}, stream="s", sequence=3)
    database.move_cold(NOW.date())
    database.close()
    return path


@pytest.fixture(params=["in-process", "sandboxed"])
def database(directory: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Open the store; hunts run in this process, or all of them in the sandbox process."""
    if request.param == "sandboxed":
        monkeypatch.setattr(Translation, "grows", True)
    opened = Database(directory, read_only=True)
    yield opened
    opened.close()


def found(database: Database, text: str, **more: object) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = database.hunt(Hunt(text=text, **more)).to_pylist()  # type: ignore[arg-type] # a test's options
    return rows


def names(database: Database, text: str, **more: object) -> list[object]:
    return [row["FileName"] for row in found(database, f"{text} | sort by FileName asc", **more)]


def test_hot_and_cold_rows_are_found(database: Database) -> None:
    assert names(database, "CloudProcessEvents") == ["nc", *["sh"] * DAYS]


def test_dynamic_and_datetime_columns_have_kusto_types(database: Database) -> None:
    rows = found(database, "CloudProcessEvents | where FileName == 'nc' | project PodLabels.app, t = Timestamp + 1h")

    expected = NOW - datetime.timedelta(days=2) + datetime.timedelta(hours=1)
    assert rows == [{"PodLabels_app": '"nc"', "t": expected}]


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("CloudProcessEvents", DAYS - 1),
        ("CloudProcessEvents | where Timestamp > ago(1h)", 0),
        ("CloudProcessEvents | where Timestamp > ago(1d)", 1),
        ("CloudProcessEvents | where Timestamp between (ago(60h) .. ago(40h))", 1),
        ("let recent = CloudProcessEvents | where Timestamp > ago(1d); recent | summarize count() by FileName", 1),
        ("union CloudProcessEvents, AlertInfo | where Timestamp > ago(1d)", 1),
        ("CloudProcessEvents | where Timestamp > ago(1d) or FileName == 'nc'", DAYS - 1),
    ],
)
def test_only_files_within_the_time_bounds_are_read(database: Database, text: str, files: int) -> None:
    read = {each.table: each for each in database.explain(Hunt(text=text)).readings}["CloudProcessEvents"]

    assert read.files in {files, files + 1}  # near midnight (UTC) one more day has rows
    assert read.of == DAYS - 1


def test_rows_older_than_after_are_left_out(database: Database) -> None:
    after = NOW - datetime.timedelta(days=1, hours=12)
    micros = int(after.timestamp() * 1_000_000)

    assert len(found(database, "CloudProcessEvents", after=micros)) == 2


@pytest.mark.parametrize(
    ("clusters", "expected"),
    [
        (("prod",), ["sh"] * DAYS),
        (("test",), ["nc"]),
        ((), []),
        (("x' OR '1'='1",), []),
        (None, ["nc", *["sh"] * DAYS]),
    ],
)
def test_only_granted_clusters_are_seen(
    database: Database, clusters: tuple[str, ...] | None, expected: Sequence[str]
) -> None:
    assert names(database, "CloudProcessEvents", clusters=clusters) == expected
    assert names(database, "union * | where isnotempty(FileName)", clusters=clusters) == expected
    assert names(database, "search in (CloudProcessEvents) '*' | project FileName", clusters=clusters) == expected


def test_a_table_without_clusters_is_refused_to_callers_of_single_clusters(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hunt_store, "ALERT_TABLES", frozenset())  # as a table to come is

    with pytest.raises(errors.InvalidQuery, match="1:1: the table 'AlertInfo' may not be read: it has no ClusterName"):
        found(database, "AlertInfo", clusters=("prod",))


@pytest.mark.parametrize(
    ("clusters", "alerts"), [(("prod",), ["a"]), (("test",), ["b"]), ((), []), (None, ["a", "b", "c"])]
)
def test_alerts_are_granted_by_the_clusters_of_their_evidence(
    database: Database, clusters: tuple[str, ...] | None, alerts: list[str]
) -> None:
    for text in ("AlertInfo", "union withsource=t AlertI* | extend AlertId = AlertId"):
        rows = found(database, f"{text} | project AlertId | sort by AlertId asc", clusters=clusters)
        assert [row["AlertId"] for row in rows] == alerts


def test_pivot_columns_come_from_granted_clusters_only(database: Database) -> None:
    text = "CloudProcessEvents | evaluate pivot(FileName, count(), ClusterName)"

    assert found(database, text, clusters=("prod",)) == [{"ClusterName": "prod", "sh": DAYS}]
    assert set(found(database, text)[0]) == {"ClusterName", "nc", "sh"}


def test_bag_unpack_finds_the_columns_within_the_hunts_time_bounds(database: Database) -> None:
    text = "CloudProcessEvents | where Timestamp > ago(1h) | project PodLabels | evaluate bag_unpack(PodLabels)"

    assert found(database, text) == [{"app": "sh"}]


def test_take_returns_the_first_rows_and_marks_the_answer_truncated(database: Database) -> None:
    few, all_ = (database.hunt(Hunt(text="range a from 1 to 3 step 1", take=take)) for take in (2, 3))

    assert (few.num_rows, all_.num_rows) == (2, 3)
    assert few.schema.metadata == {TRUNCATED: b"true"}
    assert not all_.schema.metadata


def test_query_parameters_take_the_given_values(database: Database) -> None:
    declared = "declare query_parameters(Name:string = 'sh', Most:long);"
    text = f"{declared} CloudProcessEvents | where FileName == Name | take Most"

    assert names(database, text, parameters={"Name": "nc", "Most": "5"}) == ["nc"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"Least": "x"}, "expected a long, got 'x'"),
        ({"Leats": "1"}, "declares no parameter 'Leats'; did you mean 'Least'"),
        ({}, "the parameter 'Least' has no value"),
    ],
)
def test_wrong_query_parameters_are_reported(database: Database, parameters: dict[str, str], message: str) -> None:
    with pytest.raises(errors.InvalidQuery, match=message):
        found(database, "declare query_parameters(Least:long); print Least", parameters=parameters)


REACHES = [
    "['_cold']", "['_streams']", "['duckdb_settings()']", "['duckdb_tables']", "['sqlite_master']",
    "['pg_catalog.pg_class']", "['information_schema.tables']", "table('_cold')", "['hot.main._cold']",
    "['read_csv(\\'/etc/passwd\\')']", "database('hot').CloudProcessEvents", "cluster('x').database('y').T",
    "external_table('x')", "externaldata(a:string)['/etc/passwd']",
    "externaldata(a:string)[@'https://203.0.113.7/x']", "print read_text('/etc/passwd')", "print getenv('HOME')",
    "print current_setting('memory_limit')", "CloudProcessEvents | extend x = read_csv('/etc/passwd')",
    "CloudProcessEvents | where query('select 1')", "evaluate sql_request('x', 'y')",
    "evaluate http_request('https://203.0.113.7')", "evaluate python(typeof(*), 'import os')", ".show tables",
    ".drop table CloudProcessEvents", "set memory_limit = '9GB'", "CloudProcessEvents; drop table x",
]  # fmt: skip


@pytest.mark.parametrize("text", REACHES)
def test_only_hunting_tables_can_be_read(database: Database, text: str) -> None:
    with pytest.raises(errors.InvalidQuery):
        database.hunt(Hunt(text=text))


QUOTES = ["'", '"', "''", "\\", "\\'", "'; DROP TABLE x; --", "$$", "/*", "{0}", "%s", "\n--", "\u2018", "?", ":x"]


@pytest.mark.parametrize("text", QUOTES)
def test_a_string_literal_never_becomes_sql(database: Database, text: str) -> None:
    written = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    rows = found(database, f'print a = "{written}", b = strcat("{written}", ""), ["{written or "c"}"] = 1')
    assert rows[0]["a"] == rows[0]["b"] == text


def test_a_hunt_ends_at_its_time_limit(database: Database) -> None:
    with pytest.raises(errors.StoreError, match=r"longer than 0\.2 s"):
        found(database, SLOW, seconds=0.2)


def test_a_hunt_is_stopped_from_another_thread(database: Database) -> None:
    stop = Stop()
    threading.Timer(0.2, stop.stop).start()

    with pytest.raises(errors.StoreError, match="cancelled"):
        database.hunt(Hunt(text=SLOW), stop=stop)


def test_a_hunt_stopped_before_it_began_does_not_begin(database: Database) -> None:
    stop = Stop()
    stop.stop("enough")

    with pytest.raises(errors.StoreError, match="enough"):
        database.hunt(Hunt(text="print 1"), stop=stop)


def test_an_answer_over_the_row_limit_is_an_error(database: Database) -> None:
    with pytest.raises(errors.StoreError, match="more than 1,000 rows"):
        found(database, "range a from 1 to 2000 step 1", rows=1000)


@pytest.mark.parametrize(
    ("text", "rows", "error", "tables"),
    [
        ("CloudProcessEvents | where FileName == 'nc'", 1, "", ("CloudProcessEvents",)),
        ("print nonsense", 0, "unknown column 'nonsense'", ()),
    ],
)
def test_the_audit_trail_has_every_hunt(
    database: Database, text: str, rows: int, error: str, tables: tuple[str, ...]
) -> None:
    trail: list[HuntRecord] = []
    try:
        database.hunt(Hunt(text=text, clusters=("test",)), on_hunt=trail.append)
    except errors.InvalidQuery as failure:
        assert error and error in str(failure)

    (told,) = trail
    assert (told.text, told.rows, told.tables, told.clusters) == (text, rows, tables, ("test",))
    assert error in told.error and told.began >= NOW and told.seconds > 0


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Path]:
    writer = start_writer(tmp_path)
    yield tmp_path
    writer.close()


def test_the_stores_process_answers_hunts(served: Path) -> None:
    with open_reader(served) as reader:
        assert reader.hunt(Hunt(text="CloudProcessEvents | count")).to_pydict() == {"Count": [0]}
        assert "CloudProcessEvents" in reader.explain(Hunt(text="CloudProcessEvents | count")).sql


def test_problems_keep_their_positions_over_the_socket(served: Path) -> None:
    with open_reader(served) as reader, pytest.raises(errors.InvalidQuery) as caught:
        reader.hunt(Hunt(text="print strlenn('x')"))

    assert [(p.line, p.column, p.offset, p.length) for p in caught.value.problems] == [(1, 7, 6, 7)]  # type: ignore[attr-defined] # QueryProblem


def test_closing_the_connection_cancels_the_hunt(served: Path) -> None:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect(str(served / SOCKET))
        peer.sendall(encode_request(Hunt(text=SLOW)))
        peer.shutdown(socket.SHUT_WR)

        assert b"the caller went away" in peer.makefile("rb").read()


def test_streamed_rows_arrive_in_batches(served: Path) -> None:
    with open_reader(served) as reader, reader.stream(Hunt(text="range a from 1 to 20000 step 1")) as answer:
        batch = next(answer.batches)

    assert (answer.schema.names, batch.num_rows) == (["a"], BATCH_ROWS)


def test_a_hunt_in_the_stores_process_is_stopped_from_another_thread(served: Path) -> None:
    stop = Stop()
    threading.Timer(0.2, stop.stop, ["enough"]).start()

    with open_reader(served) as reader, pytest.raises(errors.StoreError, match="enough"):
        reader.hunt(Hunt(text=SLOW), stop=stop)


def test_a_stream_is_stopped_while_it_is_read(served: Path) -> None:
    stop = Stop()
    text = "range a from 1 to 900000 step 1 | extend b = strcat('some text that is long ', a)"
    with open_reader(served) as reader, reader.stream(Hunt(text=text), stop=stop) as answer:
        next(answer.batches)
        stop.stop("enough")

        with pytest.raises(errors.StoreError, match="enough"):
            list(answer.batches)


def test_the_stores_process_refuses_a_request_beyond_its_bounds(served: Path) -> None:
    with open_reader(served) as reader, pytest.raises(errors.InvalidInput, match="seconds"):
        reader.hunt(Hunt(text="print 1", seconds=1e9))
