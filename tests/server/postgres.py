"""A PostgreSQL server of Debian's package, in a directory of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
needs_postgres = pytest.mark.skipif(
    not _FOLDERS or os.geteuid() != 0, reason="needs root, and Debian's package postgresql"
)


@contextlib.contextmanager
def cluster() -> Iterator[str]:
    """Run a server, which listens on a Unix socket only, and yield the URL of its first database."""
    # PostgreSQL refuses to run as root; the test's own directories are closed to its user.
    directory = Path(tempfile.mkdtemp(prefix="driftline-postgres-"))
    shutil.chown(directory, "postgres", "postgres")
    try:
        _run("initdb", "--pgdata", directory / "data", "--auth", "trust", "--encoding", "UTF8", "--no-sync")
        options = f"-c listen_addresses= -c unix_socket_directories={directory} -c fsync=off"
        log = directory / "log"
        _run("pg_ctl", "start", "--wait", "--pgdata", directory / "data", "--log", log, "--options", options)
        try:
            yield f"postgresql+psycopg://postgres@/postgres?host={directory}"
        finally:
            _run("pg_ctl", "stop", "--mode", "immediate", "--pgdata", directory / "data")
    finally:
        shutil.rmtree(directory)


def _run(program: str, *arguments: str | Path) -> None:
    command = ("runuser", "-u", "postgres", "--", _FOLDERS[-1] / program, *arguments)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


def new_database(url: str) -> str:
    """Make an empty database in a cluster, and return its URL."""
    name = f"d{uuid.uuid4().hex}"
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return url.replace("/postgres?", f"/{name}?")
