"""``driftline hunt``: output formats, data sources, saved hunts, errors and exit codes."""

from __future__ import annotations

import datetime
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from driftline import errors
from driftline.cli._shared import saved_hunts
from driftline.cli.hunt import forget, format_, hunt, list_, save, show
from driftline.events import CloudProcessEvent, stream
from driftline.store.process.writer import start_writer


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set a configuration folder for each test."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "driftline" / "hunts"


QUERY = 'print a = 1, b = dynamic({"x": [1]}), c = 90s, d = datetime(2026-01-01), e = int(null)'


def test_json_has_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    hunt(QUERY, output="json")

    assert json.loads(capsys.readouterr().out) == (
        {"a": 1, "b": {"x": [1]}, "c": "00:01:30", "d": "2026-01-01T00:00:00+00:00", "e": None}
    )


def test_table_output_has_a_header_and_the_rows(capsys: pytest.CaptureFixture[str]) -> None:
    hunt("print a = 1, b = 'x'")

    assert capsys.readouterr().out.split() == ["a", "b", "1", "x"]


def test_csv_output_quotes_texts(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    hunt("print a = 1, b = 'x, y'", output="csv")

    assert capfdbinary.readouterr().out == b'"a","b"\n"1","x, y"\n'


def test_a_file_is_queried_as_a_table_within_a_timespan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text("Timestamp,a\n2020-01-01T00:00:00,1\n2100-01-01T00:00:00,2\n")
    hunt("T | project a", table=[f"T={tmp_path}/t.csv"], timespan="7d", output="json")

    assert capsys.readouterr().out == '{"a": 2}\n'


def test_a_query_is_read_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "q.kql").write_text("print a = 1")
    hunt(file=tmp_path / "q.kql", output="json")

    assert capsys.readouterr().out == '{"a": 1}\n'


def test_format_prints_the_query_and_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    format_("Nowhere|where a>1 // why")

    assert capsys.readouterr().out == "Nowhere\n// why\n| where a > 1\n"


def test_format_underlines_a_syntax_error() -> None:
    with pytest.raises(errors.InvalidInput, match=r"(?s)did you mean 'where'.*\n  T \| wher a\n      \^\^\^\^"):
        format_("T | wher a")


def test_explain_shows_the_sql(capsys: pytest.CaptureFixture[str]) -> None:
    hunt("print a = 1", explain=True)

    shown = capsys.readouterr().out
    assert "SQL\nSELECT " in shown and shown.startswith("Means\n")


def test_an_error_is_underlined() -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        hunt("print a = strlenn('x')")

    assert str(caught.value).split("\n")[1:] == ["  print a = strlenn('x')", "            ^^^^^^^"]


def test_standard_input_is_a_table() -> None:
    command = [sys.executable, "-m", "driftline.cli", "hunt", "T | project a", "--table", "T=-", "--output", "json"]
    result = subprocess.run(command, input='{"a":{"b":1}}\n', capture_output=True, text=True, check=True)

    assert result.stdout == '{"a": {"b": 1}}\n'


def test_standard_input_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("T"))
    with pytest.raises(errors.InvalidInput, match="standard input"):
        hunt(file=Path("-"), table=["T=-"])
    with pytest.raises(errors.InvalidInput, match="standard input"):
        hunt("T", table=["T=-", "U=-"])


def test_tables_of_the_store_are_queried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_the_library_is_listed_shown_and_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.datetime.now(datetime.UTC)
    writer = start_writer(tmp_path)
    writer.write([stream.encode(CloudProcessEvent(Timestamp=now, ActionType="ProcessCreated", FileName="xmrig"))])
    writer.close()
    list_()
    show("crypto-miner")
    hunt(run="crypto-miner", store=tmp_path, output="json")

    *shown, found = capsys.readouterr().out.splitlines()
    assert any(line.split()[:1] == ["crypto-miner"] for line in shown)
    assert "// A cryptocurrency miner by its command line" in shown
    assert json.loads(found)["FileName"] == "xmrig"


def test_a_hunt_is_saved_run_and_removed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save("mine", "print mine = 1")
    hunt(run="mine", output="json")
    list_()
    forget("mine")

    shown = capsys.readouterr().out
    assert '{"mine": 1}' in shown and "saved" in shown and not list(home.glob("*.kql"))
    with pytest.raises(errors.InvalidInput, match="no hunt 'mine'"):
        hunt(run="mine")


@pytest.mark.parametrize("name", ["../x", "functions", "crypto-miner", "", ".x", "a b"])
def test_invalid_names_cannot_be_saved(name: str) -> None:
    with pytest.raises(errors.InvalidInput):
        saved_hunts.save(name, "print 1")


def test_saved_functions_are_available_in_every_hunt(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.mkdir(parents=True)
    (home / "functions.kql").write_text("let twice = (x:long) { x * 2 };\nlet two = 2;\n")
    hunt("print a = twice(two)", output="json")
    with pytest.raises(errors.InvalidInput) as caught:
        hunt("print\n a = twise(two)")

    assert capsys.readouterr().out == '{"a": 4}\n'
    assert str(caught.value).split("\n") == (
        ["2:6: unknown function 'twise'; did you mean 'twice'?", "   a = twise(two)", "       ^^^^^"]
    )


def test_an_error_in_the_functions_names_their_file(home: Path) -> None:
    home.mkdir(parents=True)
    (home / "functions.kql").write_text("let broken = nonsense(;")

    with pytest.raises(errors.InvalidInput, match=r"functions\.kql:1:23: "):
        hunt("print broken")


def test_query_parameters_take_values_from_param(capsys: pytest.CaptureFixture[str]) -> None:
    hunt("declare query_parameters(n:long, s:timespan = 1h); print n = n, s = s", param=["n=7", "s=2d"], output="json")

    assert json.loads(capsys.readouterr().out) == {"n": 7, "s": "2.00:00:00"}


def test_all_errors_are_reported_at_once() -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        hunt("print a = strlenn('x')\n| extend b = nothing")

    assert str(caught.value).count("^^^") == 2


def test_a_parquet_file_is_explained_and_only_its_columns_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pq.write_table(pa.table({"a": [1], "b": ["x"], "c": [[1]]}), tmp_path / "t.parquet")
    hunt("T | where b == 'x' | project a", table=[f"T={tmp_path}/t.parquet"], explain=True)
    hunt("T | project a, c = c[0]", table=[f"T={tmp_path}/t.parquet"], output="json")

    shown = capsys.readouterr().out
    assert "table T: a, b\n" in shown and "T: 1 of 1 files" in shown and '{"a": 1, "c": 1}' in shown


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["print 1"], 0), (["print x"], 2), (["T"], 2), (["range a from 1 to 9 step 1", "--rows", "5"], 1), ([], 2)],
)
def test_exit_codes(arguments: list[str], code: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "driftline.cli", "hunt", *arguments, "--store", str(tmp_path)]

    assert subprocess.run(command, capture_output=True, check=False).returncode == code


def test_ctrl_c_cancels_the_query(tmp_path: Path) -> None:
    many = "range a from 1 to 3000000 step 1 | extend k = 1"
    slow = f"{many} | join kind=inner ({many}) on k | summarize sum(a * a1)"
    command = [sys.executable, "-m", "driftline.cli", "hunt", slow, "--store", str(tmp_path)]
    # The jobs that a shell runs in the background ignore Ctrl-C, and so would their children.
    heeding = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    with subprocess.Popen(command, stderr=subprocess.PIPE, preexec_fn=heeding) as process:  # noqa: PLW1509 -- one thread
        wait_until(lambda: cpu_seconds(process.pid) > 5)  # the engine is at it; to start takes up to 4, uncompiled
        process.send_signal(signal.SIGINT)

        assert process.wait(20) == 130


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
