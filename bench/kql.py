"""How long translation takes, and six typical hunts against hand-written DuckDB SQL.

Run: ``python -m bench.kql [rows]``; the default is a million rows.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import duckdb
import pyarrow as pa

from driftline import kql

COLUMNS = {
    "Timestamp": "datetime",
    "Pod": "string",
    "FileName": "string",
    "Cmd": "string",
    "Pid": "long",
    "Extra": "dynamic",
}
SCHEMA = {"E": COLUMNS}
ROWS = """
SELECT TIMESTAMP '2026-01-01' + to_seconds(i) AS Timestamp, 'pod-' || (i % 500) AS Pod,
  CASE i % 50 WHEN 0 THEN 'bash' WHEN 1 THEN 'curl' ELSE 'app' || (i % 37) END AS FileName,
  '/usr/bin/app' || (i % 37) || ' --config /etc/app/conf.yaml --id ' || i
    || CASE WHEN i % 1000 = 0 THEN ' xmrig ' ELSE ' nothing ' END AS Cmd,
  i % 65536 AS Pid, CASE WHEN i % 10 = 0 THEN '["a","b"]' ELSE '[]' END::JSON AS Extra FROM range({rows}) AS t(i)
"""
LONG = """
let lookback = 7d;
let shells = dynamic(["sh", "bash", "dash", "zsh"]);
E
| where Timestamp > datetime(2026-01-01) and Timestamp < datetime(2026-02-01)
| where FileName in~ (shells)
| where Cmd has_any ("curl", "wget", "base64")
| extend Hour = bin(Timestamp, 1h)
| extend Kind = case(Cmd has "curl", "download", Cmd has "base64", "decode", "other")
| extend Detail = tostring(Extra[0])
| where isnotempty(Detail) or Pid > 100
| summarize Count = count(), Pods = dcount(Pod), Files = make_set(FileName, 10), First = min(Timestamp) by Hour, Kind
| where Count > 1
| join kind=inner (
    E
    | where FileName == "curl"
    | summarize Downloads = count() by Hour = bin(Timestamp, 1h)
) on Hour
| project Hour, Kind, Count, Pods, Files, Downloads, Ratio = 1.0 * Count / Downloads
| sort by Ratio desc
| take 100
"""
HUNTS = {
    "where has": (
        'E | where Cmd has "xmrig" and FileName in~ ("bash", "curl") | count',
        """SELECT count(*) FROM E WHERE contains(lower(Cmd), 'xmrig')
        AND regexp_matches(Cmd, '(?i)(^|[^a-z0-9])xmrig($|[^a-z0-9])') AND lower(FileName) IN ('bash', 'curl')""",
    ),
    "has against a pattern": (
        'E | where Cmd has "xmrig" | count',
        "SELECT count(*) FROM E WHERE regexp_matches(Cmd, '(?i)(^|[^a-z0-9])xmrig($|[^a-z0-9])')",
    ),
    "summarize": (
        "E | summarize count(), dcount(Pod), make_set(FileName) by bin(Timestamp, 1h)",
        """SELECT date_trunc('hour', Timestamp), count(*), count(DISTINCT Pod), list(DISTINCT FileName)
        FROM E GROUP BY 1""",
    ),
    "join in a window": (
        """E | where FileName == "bash" | join kind=inner (E | where FileName == "curl") on Pod
        | where Timestamp1 between (Timestamp .. 5m) | count""",
        """SELECT count(*) FROM E AS a JOIN E AS b USING (Pod) WHERE a.FileName = 'bash' AND b.FileName = 'curl'
        AND b.Timestamp BETWEEN a.Timestamp AND a.Timestamp + INTERVAL 5 MINUTE""",
    ),
    "arg_max": (
        "E | summarize arg_max(Timestamp, FileName, Cmd) by Pod",
        "SELECT Pod, max(Timestamp), arg_max(FileName, Timestamp), arg_max(Cmd, Timestamp) FROM E GROUP BY 1",
    ),
    "make-series": (
        """E | make-series n = count() on Timestamp from datetime(2026-01-01) to datetime(2026-01-10) step 1h
        by FileName""",
        """SELECT FileName, list(n ORDER BY h) FROM (SELECT FileName, h, coalesce(n, 0) AS n
        FROM (SELECT DISTINCT FileName FROM E)
        CROSS JOIN (SELECT unnest(range(TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-10', INTERVAL 1 HOUR)) AS h)
        LEFT JOIN (SELECT FileName, date_trunc('hour', Timestamp) AS h, count(*) AS n FROM E GROUP BY 1, 2)
        USING (FileName, h)) GROUP BY 1""",
    ),
    "mv-expand": (
        "E | mv-expand Extra | summarize count() by tostring(Extra)",
        "SELECT e, count(*) FROM (SELECT unnest(CAST(Extra AS JSON[])) AS e FROM E) GROUP BY 1",
    ),
}


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """Give the median of several runs."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def arrow(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    found: pa.Table = connection.sql(sql).to_arrow_table()
    return found


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    kql.translate(LONG, SCHEMA)
    print(f"translate 20 lines: {seconds(lambda: kql.translate(LONG, SCHEMA), 20) * 1000:.1f} ms")
    connection = duckdb.connect(config={"threads": 2})
    connection.execute(f"CREATE TABLE E AS {ROWS.format(rows=rows)}")
    for name, (hunt, by_hand) in HUNTS.items():
        ours = kql.translate(hunt, SCHEMA)
        mine = seconds(lambda: arrow(connection, ours))  # noqa: B023 -- called at once
        best = seconds(lambda: arrow(connection, by_hand))  # noqa: B023 -- called at once
        print(f"{name}: {mine * 1000:.0f} ms, by hand {best * 1000:.0f} ms, ratio {mine / best:.2f}")


if __name__ == "__main__":
    main()
