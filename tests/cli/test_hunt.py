"""The hunt command: what it prints, and how it says what is wrong."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from driftline import errors
from driftline.cli.hunt import hunt
from driftline.events import CloudProcessEvent, stream
from driftline.store.writer import start_writer

QUERY = 'print a = 1, b = dynamic({"x": [1]}), c = 90s, d = datetime(2026-01-01), e = int(null)'


def test_json_has_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    hunt(QUERY, output="json")

    assert json.loads(capsys.readouterr().out) == (
        {"a": 1, "b": {"x": [1]}, "c": "00:01:30", "d": "2026-01-01T00:00:00+00:00", "e": None}
    )


def test_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    hunt("print a = 1, b = 'x'")

    assert capsys.readouterr().out.split() == ["a", "b", "1", "x"]


def test_csv(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    hunt("print a = 1, b = 'x, y'", output="csv")

    assert capfdbinary.readouterr().out == b'"a","b"\n"1","x, y"\n'


def test_files_as_tables_and_a_timespan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text("Timestamp,a\n2020-01-01T00:00:00,1\n2100-01-01T00:00:00,2\n")
    hunt("T | project a", table=[f"T={tmp_path}/t.csv"], timespan="7d", output="json")

    assert capsys.readouterr().out == '{"a": 2}\n'


def test_the_query_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "q.kql").write_text("print a = 1")
    hunt(file=tmp_path / "q.kql", output="json")

    assert capsys.readouterr().out == '{"a": 1}\n'


def test_explain_shows_the_sql(capsys: pytest.CaptureFixture[str]) -> None:
    hunt("print a = 1", explain=True)

    assert capsys.readouterr().out.startswith("SELECT ")


def test_a_mistake_is_underlined() -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        hunt("print a = strlenn('x')")

    assert str(caught.value).split("\n")[1:] == ["  print a = strlenn('x')", "            ^^^^^^^"]


def test_the_store_s_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.datetime.now(datetime.UTC)
    writer = start_writer(tmp_path)
    writer.write([stream.encode(CloudProcessEvent(Timestamp=now, FileName="nc", PodLabels={"app": "web"}))])
    writer.close()
    hunt(
        "CloudProcessEvents | where Timestamp > ago(1h) | project FileName, PodLabels.app",
        store=tmp_path,
        timespan="1d",
        output="json",
    )

    assert capsys.readouterr().out == '{"FileName": "nc", "PodLabels_app": "web"}\n'
