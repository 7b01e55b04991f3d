"""DuckDB's and the disk's errors become errors of driftline."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from driftline.errors import StoreBusy, StoreCorrupt, StoreError
from driftline.store.files.database import Database
from driftline.store.process.writer import Writer
from driftline.store.query.row_query import Filter
from tests.store.rows import event, names, put

pytestmark = pytest.mark.timeout(240)


def test_a_damaged_database_file_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "hot.duckdb").write_bytes(b"not a database at all" * 1000)

    with pytest.raises(StoreCorrupt, match="move it away to start with an empty store"):
        Database(tmp_path)


def test_opening_a_store_of_another_process_raises_store_busy(writer: Writer, tmp_path: Path) -> None:
    with pytest.raises(StoreBusy, match="another process has the store open"):
        Database(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_loses_no_stored_row(tmp_path: Path) -> None:
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", tmp_path), check=True)
    try:
        database = Database(tmp_path)
        database.sequence("s")
        put(database, event("first"))
        filler = [event(os.urandom(3000).hex()) for _ in range(300)]
        with pytest.raises(StoreError):
            for sequence in range(2, 100):
                put(database, *filler, sequence=sequence)
        assert names(database, Filter("FileName", "=", "first")) == ["first"]
        database.close()
    finally:
        subprocess.run(("umount", "--lazy", tmp_path), check=True)
