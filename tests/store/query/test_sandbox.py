"""Hunts whose values may grow run in the sandbox process, which enforces the limits."""

from __future__ import annotations

import dataclasses
import re
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from driftline import errors
from driftline.kql import Translation
from driftline.store.query.hunt_tables import Limits, hunt
from driftline.store.query.limits import Stop

SMALL = Limits(seconds=2, memory=256, rows=10_000, size=16, disk=16)
MOST_MIB = 800  # the limit of memory, the room for the answer, and Python with DuckDB and Arrow
ROWS = "range a from 1 to 3000 step 1 | extend s = strcat('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', a), l = pack_array(a)"
ROWS += " | extend long = range(a, a + 1000000)"
MANY = "toscalar(range a from 1 to 1000000 step 1 | summarize make_list(a, 1000000))"
LISTS = "range a from 1 to 400000 step 1 | extend s = strrep('s', 20) | summarize m = make_list(s) by k = a % 2"
GROWING = {
    "arrays joined": ["extend l = array_concat(long, long)"],
    "arrays doubled": ["extend l = array_concat(l, l)"] * 24,
    "arrays multiplied": ["extend l = series_multiply(long, long)"],
    "arrays gathered": ["summarize l = make_set(long)"],
    "arrays of all rows with each": [f"extend l = array_concat({MANY}, pack_array(a))"],
    "arrays of a group with each": [
        f"extend k = a % 2 | join kind=inner ({LISTS}) on k | extend l = array_concat(m, l)"
    ],
    "arrays carried from row to row": [
        "project a | scan declare (l: dynamic) with (step s: true => l = array_concat(s.l, s.l, pack_array(a));)"
    ],
    "texts doubled": ["extend s = strcat(s, s)"] * 24,
    "texts replaced": ["extend s = replace_string(s, 'a', 'aaaaaaaaaa')"] * 7,
    "patterns replaced": [r"extend s = replace_regex(s, '(.)', @'\1\1\1\1')"] * 10,
    "texts repeated": ["extend s = strcat_array(repeat(strrep(s, 1024), a), '-')"],
    "texts encoded": ["extend s = url_encode(strcat(s, s, '%'))"] * 20,
    "quotes escaped": ["extend s = tostring(pack_array(s))"] * 24,
    "texts unpacked": [
        "extend s = gzip_decompress_from_base64_string(gzip_compress_to_base64_string(strrep(s, 1000)))",
        "extend s = strcat_array(repeat(s, 1000), '-')",
    ],
}


# In a process of its own, whose only children are those of the hunt.
MEASURED = """
import resource, sys, time
from driftline import errors
from driftline.store.query.hunt_tables import Limits, hunt
began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    hunt(sys.argv[1], {}, limits=Limits(seconds=1, memory=256, rows=10_000, size=16, disk=16))
except errors.StoreError as error:
    own, child = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(time.monotonic() - began, own - before >> 10, child >> 10, error)
"""


@pytest.mark.parametrize("operators", GROWING.values(), ids=GROWING)
def test_growing_values_get_no_more_memory_and_time_than_the_limits(operators: list[str]) -> None:
    command = [sys.executable, "-c", MEASURED, _growing(operators)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    seconds, own, child, error = told.split(maxsplit=3)

    assert re.search("more than 256 MiB of memory|took longer than 1 s", error)
    assert float(seconds) < 6
    assert int(own) < 300, "translating takes some, too"
    assert int(child) < MOST_MIB


def _growing(operators: list[str]) -> str:
    return " | ".join([ROWS, *operators, "summarize max(strlen(tostring(column_ifexists('s', ''))) + array_length(l))"])


@pytest.fixture
def sandboxed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every hunt in the sandbox process."""
    monkeypatch.setattr(Translation, "grows", True)


@pytest.mark.usefixtures("sandboxed")
def test_a_sandboxed_hunt_reads_rows_and_files(tmp_path: Path) -> None:
    rows = pa.table({"a": [1, 2, None], "s": ["x", "", "'quoted"], "d": [["a"], [], None]})
    pyarrow.parquet.write_table(rows, tmp_path / "rows.parquet")

    found = hunt("union T, F | where a > 1 or isempty(s)", {"T": rows, "F": tmp_path / "rows.parquet"})

    assert found.to_pylist() == [{"a": 2, "s": "", "d": "[]"}] * 2


@pytest.mark.usefixtures("sandboxed")
def test_a_sandboxed_hunt_refuses_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 but damaged")

    with pytest.raises(errors.InvalidInput):
        hunt("F", {"F": tmp_path / "rows.parquet"})


@pytest.mark.usefixtures("sandboxed")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("range a from 1 to 20000 step 1", "more than 10,000 rows"),
        ("range a from 1 to 9000 step 1 | extend s = strrep(tostring(a), 1000)", "larger than 16 MiB"),
        ("print tolong('9223372036854775807') * 3 * 3", "the hunt failed: .*[Oo]verflow"),
    ],
)
def test_errors_of_the_sandbox_process_reach_the_caller(text: str, said: str) -> None:
    with pytest.raises(errors.StoreError, match=said):
        hunt(text, {}, limits=dataclasses.replace(SMALL, seconds=60))  # the start of the process counts, too


@pytest.mark.usefixtures("sandboxed")
def test_a_sandboxed_hunt_is_killed_at_once_when_stopped() -> None:
    stop, began = Stop(), time.monotonic()
    threading.Timer(1.5, stop.stop, ["enough"]).start()

    with pytest.raises(errors.StoreError, match="enough"):
        hunt(_growing(GROWING["texts replaced"]), {}, limits=Limits(seconds=50, memory=8000), stop=stop)

    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "text",
    [
        "extend s = strcat('a', a), l = range(1, 5) | where s has 'a1'",
        "extend s = replace_string(strcat('a/', a), '/', '-') | summarize make_set(s) by a % 2",
        "extend b = bag_pack('a', a, 'l', pack_array(a)) | project split(tostring(b.l), ',')",
        "where a in (toscalar(range b from 1 to 9 step 1 | summarize make_set(b)))",
        "make-series n = count() on a from 0 to 10 step 1 | extend series_stats(n)",
    ],
)
def test_usual_hunts_run_outside_of_the_sandbox(text: str) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime

    hunt(f"range a from 1 to 100 step 1 | {text}", {})

    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime == before
