"""KQL: time of translation, and six typical hunts against hand-written DuckDB SQL.

Both sides read the same ten days of Parquet files (``_events``) with two threads: the hunts through
``store.stored``, from the text of the query to the typed result; the SQL as an expert would write it
for these files. Runs alternate; the minimum of the processor seconds counts, since wall time on a
shared machine measures its other users.

Run: ``python -m bench.kql [rows]``; the default is ten million rows, made once (two minutes, 500 MB)
under ``/tmp/driftline-bench``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa

from bench import _events
from driftline import kql
from driftline.events import TABLES
from driftline.store.files.database import day_bounds
from driftline.store.query.file_pruning import DataFile
from driftline.store.query.hunt_store import Hunt, hunt
from driftline.store.query.views import TableSource
from driftline.store.schema import create_statement, quoted
from driftline.store.term_index.index import terms_path, write_index

DIRECTORY = Path("/tmp/driftline-bench")
SCHEMA = {name: {column.name: column.type for column in table.columns} for name, table in TABLES.items()}
LONG = """
let lookback = 7d;
let shells = dynamic(["sh", "bash", "dash", "zsh"]);
CloudProcessEvents
| where Timestamp > ago(lookback)
| where FileName in~ (shells)
| where ProcessCommandLine has_any ("curl", "wget", "base64")
| extend Hour = bin(Timestamp, 1h)
| extend Kind = case(ProcessCommandLine has "curl", "download", ProcessCommandLine has "base64", "decode", "other")
| extend User = tostring(AdditionalFields.UserId)
| where isnotempty(User) or ProcessId > 100
| summarize Count = count(), Pods = dcount(KubernetesPodName), First = min(Timestamp) by Hour, Kind
| where Count > 1
| join kind=inner (
    CloudProcessEvents
    | where FileName == "curl"
    | summarize Downloads = count() by Hour = bin(Timestamp, 1h)
) on Hour
| project Hour, Kind, Count, Pods, Downloads, Ratio = 1.0 * Count / Downloads
| sort by Ratio desc
| take 100
"""
HUNTS = {
    "where, has, in~": (
        """CloudProcessEvents
        | where Timestamp between (datetime(2026-11-03) .. datetime(2026-11-06))
        | where FileName in~ ("curl", "wget", "sysupdate") and ProcessCommandLine has "stratum"
        | project Timestamp, KubernetesPodName, FileName, ProcessCommandLine""",
        """SELECT Timestamp, KubernetesPodName, FileName, ProcessCommandLine FROM {process}
        WHERE Timestamp BETWEEN TIMESTAMPTZ '2026-11-03 00:00:00+00' AND TIMESTAMPTZ '2026-11-06 00:00:00+00'
        AND lower(FileName) IN ('curl', 'wget', 'sysupdate') AND contains(lower(ProcessCommandLine), 'stratum')
        AND regexp_matches(ProcessCommandLine, '(?i)\\bstratum\\b')""",
    ),
    "summarize by bin": (
        """CloudProcessEvents | where ActionType == "ProcessCreated"
        | summarize count(), dcount(KubernetesPodName), make_set(FileName) by bin(Timestamp, 1h), KubernetesNamespace""",
        """SELECT date_trunc('hour', CAST(Timestamp AS TIMESTAMP)), KubernetesNamespace, count(*),
        count(DISTINCT KubernetesPodName), list(DISTINCT FileName) FROM {process}
        WHERE ActionType = 'ProcessCreated' GROUP BY 1, 2""",
    ),
    "join in a window": (
        """let Sessions = CloudAuditEvents
        | where RawEventData.objectRef.subresource == "exec"
        | project Opened = Timestamp, ClusterName, KubernetesPodName = tostring(RawEventData.objectRef.name),
            User = tostring(RawEventData.user.username);
        CloudProcessEvents | where Drift == "yes"
        | join kind=inner Sessions on ClusterName, KubernetesPodName
        | where Timestamp between (Opened .. 15m)
        | summarize count(), make_set(FileName) by User""",
        """WITH s AS (SELECT Timestamp AS opened, ClusterName, RawEventData->'objectRef'->>'name' AS pod,
        RawEventData->'user'->>'username' AS name FROM {audit}
        WHERE (RawEventData->'objectRef'->>'subresource') = 'exec')
        SELECT name, count(*), list(DISTINCT FileName) FROM {process} AS p
        JOIN s ON p.ClusterName = s.ClusterName AND p.KubernetesPodName = s.pod
        WHERE Drift = 'yes' AND p.Timestamp BETWEEN opened AND opened + INTERVAL 15 MINUTE GROUP BY 1""",
    ),
    "arg_max": (
        "CloudProcessEvents | summarize arg_max(Timestamp, FileName, ProcessCommandLine) by KubernetesPodName",
        """SELECT KubernetesPodName, max(Timestamp), arg_max(FileName, Timestamp), arg_max(ProcessCommandLine, Timestamp)
        FROM {process} GROUP BY 1""",
    ),
    "make-series": (
        """CloudProcessEvents | where Drift == "yes"
        | make-series n = count() on Timestamp from datetime(2026-11-01) to datetime(2026-11-11) step 1h
            by KubernetesResource""",
        """WITH e AS (SELECT KubernetesResource AS r, date_trunc('hour', CAST(Timestamp AS TIMESTAMP)) AS h FROM {process}
        WHERE Drift = 'yes' AND Timestamp >= TIMESTAMPTZ '2026-11-01 00:00:00+00'
        AND Timestamp < TIMESTAMPTZ '2026-11-11 00:00:00+00')
        SELECT r, list(n ORDER BY h), list(h ORDER BY h) FROM (SELECT r, h, coalesce(n, 0) AS n FROM (SELECT DISTINCT r FROM e)
        CROSS JOIN (SELECT unnest(range(TIMESTAMP '2026-11-01', TIMESTAMP '2026-11-11', INTERVAL 1 HOUR)) AS h)
        LEFT JOIN (SELECT r, h, count(*) AS n FROM e GROUP BY 1, 2) USING (r, h)) GROUP BY 1""",
    ),
    "mv-expand": (
        """CloudProcessEvents | where ActionType == "ProcessCreated"
        | mv-expand Tag = AdditionalFields.Tags | summarize count() by tostring(Tag)""",
        """SELECT tag, count(*) FROM (SELECT unnest(CAST(AdditionalFields->'Tags' AS VARCHAR[])) AS tag FROM {process}
        WHERE ActionType = 'ProcessCreated') GROUP BY 1""",
    ),
}
# ``has`` as a regular expression: the word between characters that are not ASCII letters or digits.
PATTERN = r"(?i)(?:^|[\x00-/:-@\[-`{-\x7f])WORD(?:$|[\x00-/:-@\[-`{-\x7f])"
TIMES = 5


def seconds(work: Callable[[], object]) -> float:
    """Return the processor seconds of one run, summed over all threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


def ratio(name: str, driftline_run: Callable[[], object], reference_run: Callable[[], object]) -> None:
    """Run both in turn, and print the least processor time of each and their ratio."""
    pairs = [(seconds(driftline_run), seconds(reference_run)) for _ in range(TIMES)]
    mine, best = min(a for a, _ in pairs), min(b for _, b in pairs)
    print(f"{name}: {mine * 1000:.0f} ms, by hand {best * 1000:.0f} ms, ratio {mine / best:.2f}", flush=True)


def arrow(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    """Run SQL and return its result as an Arrow table."""
    found: pa.Table = connection.sql(sql).to_arrow_table()
    return found


def compare_hunts(connection: duckdb.DuckDBPyConnection, rows: int) -> None:
    """Compare each hunt with its hand-written SQL."""
    files = _events.make(DIRECTORY, rows)
    tables = {name: _stored(connection, name, paths) for name, paths in files.items()}
    names = {
        "process": _read_parquet(files["CloudProcessEvents"]), "audit": _read_parquet(files["CloudAuditEvents"]),
    }  # fmt: skip
    for name, (text, by_hand) in HUNTS.items():
        sql = by_hand.format(**names)
        ratio(name, lambda: hunt(connection.cursor(), tables, Hunt(text=text)), lambda: arrow(connection, sql))  # noqa: B023 -- called at once


def _stored(connection: duckdb.DuckDBPyConnection, name: str, paths: list[Path]) -> TableSource:
    connection.execute(create_statement(name))
    days = [_events.FIRST.replace(day=_events.FIRST.day + number) for number in range(_events.DAYS)]
    files = [DataFile(path, day_bounds(day)) for path, day in zip(paths, days, strict=True)]
    return TableSource(f"memory.main.{quoted(name)}", files)


def _read_parquet(paths: list[Path]) -> str:
    return f"read_parquet([{', '.join(repr(str(path)) for path in paths)}])"


def compare_has(connection: duckdb.DuckDBPyConnection, rows: int) -> None:
    """Compare ``has`` with a scan by its pattern alone: over command lines in memory, and over the files."""
    files = _events.make(DIRECTORY, rows)["CloudProcessEvents"]
    connection.execute(f"CREATE TABLE Lines AS SELECT ProcessCommandLine AS Line FROM {_read_parquet(files[:5])}")
    stored = {"CloudProcessEvents": _stored(connection, "CloudProcessEvents", files)}
    for word in ("stratum", "curl", "wallet5000"):
        _compare_word(connection, word, stored, _read_parquet(files))


def _compare_word(connection: duckdb.DuckDBPyConnection, word: str, stored: dict[str, TableSource], files: str) -> None:
    lines = kql.translate(f'Lines | where Line has "{word}" | count', {"Lines": {"Line": "string"}})
    scan = _scan("Lines", "Line", word)
    ratio(
        f"in memory, has '{word}' against its pattern",
        partial(arrow, connection, lines),
        partial(arrow, connection, scan),
    )
    request = Hunt(text=f'CloudProcessEvents | where ProcessCommandLine has "{word}" | count')
    scan = _scan(files, "ProcessCommandLine", word)
    ratio(
        f"in files, has '{word}' against its pattern",
        partial(hunt, connection, stored, request),
        partial(arrow, connection, scan),
    )


def _scan(source: str, column: str, word: str) -> str:
    """Return SQL that counts the rows whose column matches the pattern of a word."""
    return f"SELECT count(*) FROM {source} WHERE regexp_matches({column}, '{PATTERN.replace('WORD', word)}')"


def index_files(rows: int) -> None:
    """Build the term index of all files, and print its cost."""
    files = [path for paths in _events.make(DIRECTORY, rows).values() for path in paths]
    taken = sum(seconds(partial(write_index, path)) for path in files)
    size = sum(terms_path(path).stat().st_size for path in files) / sum(path.stat().st_size for path in files)
    print(f"terms found in {taken / rows * 1e6:.1f} s a million rows, kept in {size:.1%} of the files' size")


def main() -> None:
    """Measure translation, the term index, the hunts and ``has``."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    kql.translate(LONG, SCHEMA)
    times = sorted(seconds(lambda: kql.translate(LONG, SCHEMA)) for _ in range(30))
    print(f"translate {len(LONG.splitlines()) - 1} lines: {times[15] * 1000:.1f} ms")
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        index_files(rows)
        compare_hunts(connection, rows)
        compare_has(connection, rows)


if __name__ == "__main__":
    main()
