"""Files as tables of a hunt: formats, values and types, and what cannot be read."""

from __future__ import annotations

import datetime
import gzip
import io
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
import zstandard

from driftline.errors import InvalidInput
from driftline.store.query.hunt_tables import hunt
from driftline.store.query.table_files import read_files

TIME = datetime.datetime(2026, 11, 29, 9, 38, 1, 2879, tzinfo=datetime.UTC)


def kusto(table: Path | str, query: str = "T") -> pa.Table:
    return hunt(query, {"T": table})


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def types(rows: pa.Table) -> dict[str, str]:
    return {field.name: (field.metadata or {})[b"kusto"].decode() for field in rows.schema}


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["1", "null", "-2"], "long", [1, None, -2]),
        (["1", "2.5"], "real", [1.0, 2.5]),
        (["true", "false"], "bool", [True, False]),
        (['"a"', "null"], "string", ["a", ""]),
        (['"x"', '{"y":1}'], "dynamic", ['"x"', '{"y":1}']),
        (["1", '"x"'], "dynamic", ["1", '"x"']),
        (["18446744073709551615"], "dynamic", ["18446744073709551615"]),
        (['"2026-11-29T09:38:01.002879Z"'], "datetime", [TIME]),
        (['"2026-11-29T11:38:01.0028790+02:00"', "null"], "datetime", [TIME, None]),
        (['"2026-11-29T09:38:01Z"', '"soon"'], "string", ["2026-11-29T09:38:01Z", "soon"]),
        (['"2026-11-29"'], "string", ["2026-11-29"]),
        (['"2026-13-29T09:38:01Z"'], "string", ["2026-13-29T09:38:01Z"]),
    ],
)
def test_the_values_of_a_json_column_decide_its_type(
    tmp_path: Path, values: list[str], kind: str, expected: list[object]
) -> None:
    rows = kusto(write(tmp_path / "t.jsonl", *(f'{{"a":{value}}}' for value in values)))

    assert types(rows) == {"a": kind}
    assert rows.column("a").to_pylist() == expected


def test_nested_values_keep_their_digits_their_keys_and_their_texts(tmp_path: Path) -> None:
    lines = (
        '{"a":{"s":"x","big":9007199254740993,"f":1.0,"d":"2026-01-01"}}',
        '{"a":{"s":{"y":1}}}',
        "",
        '{"a":null,"b":1}',
    )
    rows = kusto(write(tmp_path / "t.jsonl", *lines))

    assert rows.column("a").to_pylist() == [
        '{"s":"x","big":9007199254740993,"f":1.0,"d":"2026-01-01"}',
        '{"s":{"y":1}}',
        None,
    ]
    assert rows.column("b").to_pylist() == [None, None, 1]


def test_a_kubernetes_audit_log_is_a_table(tmp_path: Path) -> None:
    event = {
        "kind": "Event",
        "auditID": "65675dc1",
        "verb": "create",
        "user": {"username": "alice", "extra": {"k": ["v"]}},
        "objectRef": {"resource": "pods", "subresource": "exec"},
        "requestReceivedTimestamp": "2026-11-29T09:38:01.002879Z",
    }
    other = event | {"objectRef": {"resource": "pods", "name": "a"}, "annotations": {"x/y": "z"}}
    log = write(tmp_path / "audit-2026-11-29T09-38-01.002.log", json.dumps(event), json.dumps(other))
    rows = kusto(
        log,
        "T | where requestReceivedTimestamp > datetime(2026-11-29 09:38)"
        " | project auditID, tostring(user.username), keys = bag_keys(objectRef)",
    )

    assert rows.to_pylist() == [
        {"auditID": "65675dc1", "user_username": "alice", "keys": '["resource","subresource"]'},
        {"auditID": "65675dc1", "user_username": "alice", "keys": '["resource","name"]'},
    ]


def test_a_json_file_may_be_an_array_and_have_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('\ufeff[{"a": 1},\n {"a": 2}]')

    assert kusto(tmp_path / "t.json").to_pydict() == {"a": [1, 2]}


@pytest.mark.parametrize("text", ["2026-11-29T09:38:01.002879Z", "2026-11-29T11:38:01.0028790+02:00"])
def test_csv_texts_with_fraction_and_offset_are_datetimes(tmp_path: Path, text: str) -> None:
    rows = kusto(write(tmp_path / "t.csv", "Timestamp,x", f"{text},1"))

    assert types(rows) == {"Timestamp": "datetime", "x": "long"}
    assert rows.column("Timestamp").to_pylist() == [TIME]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_the_schema_makes_datetimes_of_texts(tmp_path: Path, name: str) -> None:
    lines = ("a", "2026-11-29", "2026-11-29T09:38:01.002879Z") if name == "t.csv" else (
        '{"a":"2026-11-29"}', '{"a":"2026-11-29T09:38:01.002879Z"}'
    )  # fmt: skip
    path = write(tmp_path / name, *lines)
    rows = hunt("T", {"T": path}, schema={"T": {"a": "datetime"}})

    assert rows.column("a").to_pylist() == [TIME.replace(hour=0, minute=0, second=0, microsecond=0), TIME]


def test_a_text_that_is_no_datetime_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", '{"a":"soon"}')

    with pytest.raises(InvalidInput, match=r"cannot be read as datetime.*SOON"):
        hunt("T", {"T": path}, schema={"T": {"a": "datetime"}})


def test_compressed_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n'))
    (tmp_path / "b.log.zst").write_bytes(zstandard.compress(b'{"a": 2}\n'))
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(b"a\n3\n"))

    assert kusto(tmp_path, "T | sort by a asc").to_pydict() == {"a": [1, 2, 3]}


def test_a_folder_and_a_pattern_stand_for_their_files(tmp_path: Path) -> None:
    (tmp_path / "day").mkdir()
    for number, name in enumerate(("a.jsonl", "day/b.jsonl", "c.csv")):
        write(tmp_path / name, *(["a", str(number)] if name.endswith("csv") else [f'{{"a":{number}}}']))
    write(tmp_path / "README", "not a table")

    assert kusto(tmp_path, "T | sort by a asc").to_pydict() == {"a": [0, 1, 2]}
    assert kusto(tmp_path / "*.jsonl").to_pydict() == {"a": [0]}
    assert kusto(tmp_path / "**" / "*.jsonl", "T | sort by a asc").to_pydict() == {"a": [0, 1]}


def test_columns_of_several_files_are_joined_by_name(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", '{"a":{"x":1}}')
    write(tmp_path / "b.jsonl", '{"a":"y","b":true}')
    rows = kusto(tmp_path)

    assert rows.to_pydict() == {"a": ['{"x":1}', '"y"'], "b": [None, True]}


def test_several_parquet_files_are_one_table(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    pyarrow.parquet.write_table(pa.table({"a": [2], "b": ["x"]}), tmp_path / "b.parquet")

    assert kusto(tmp_path, "T | sort by a asc").to_pydict() == {"a": [1, 2], "b": ["", "x"]}


def parquet() -> bytes:
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pa.table({"a": [1]}), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    "data",
    [b'{"a": 1}\n', b'[{"a": 1}]', b"a\n1\n", gzip.compress(b'{"a": 1}'), zstandard.compress(b"a\n1"), parquet()],
    ids=["lines", "array", "csv", "gzip", "zstd", "parquet"],
)
def test_standard_input_tells_its_format_by_its_content(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    assert kusto("-").to_pydict() == {"a": [1]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.jsonl", b'{"a":1}\n{"a":', r"t\.jsonl, line 2: expected a JSON object on each line"),
        ("t.jsonl", b"1\n", r"t\.jsonl, line 1: expected a JSON object on each line"),
        ("t.json", b"[1]", r"t\.json: expected a JSON object on each line, or an array of objects"),
        ("t.jsonl", b'{"a":"\xff"}\n', r"t\.jsonl"),
        ("t.gz", b"", r"t\.gz: expected a file named \.parquet, \.csv"),
        ("t.jsonl.gz", b"plain", r"t\.jsonl\.gz"),
        ("t.csv", b"", r"t\.csv"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InvalidInput, match=message):
        kusto(tmp_path / name)


def test_a_pattern_or_a_folder_without_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no file matches"):
        kusto(tmp_path / "*.jsonl")
    with pytest.raises(InvalidInput, match="expected a folder with files named"):
        kusto(tmp_path)


def test_files_whose_columns_differ_in_type_are_an_error(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "a", "x")
    write(tmp_path / "b.csv", "a", "true")

    with pytest.raises(InvalidInput, match="the files of the table differ"):
        read_files([tmp_path / "a.csv", tmp_path / "b.csv"])


def test_a_time_span_needs_a_datetime(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", '{"Timestamp":"yesterday"}')

    with pytest.raises(InvalidInput, match="the column Timestamp of the table T is of type string"):
        hunt("T", {"T": path}, after=TIME)


def test_a_time_span_applies_to_sentinels_column_too(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.jsonl", '{"TimeGenerated":"2026-11-29T09:38:00Z"}', '{"TimeGenerated":"2026-11-29T09:39:00Z"}'
    )

    assert hunt("T | count", {"T": path}, after=TIME).to_pydict() == {"Count": [1]}
