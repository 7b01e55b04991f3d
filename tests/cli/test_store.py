"""``driftline store`` on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from driftline.store.files.database import Database
from driftline.store.files.dedup import Batch
from tests.wire import making


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", "driftline.cli", "store", *arguments), capture_output=True, text=True, check=False
    )


def test_a_store_is_measured_checked_backed_up_and_restored(tmp_path: Path) -> None:
    store = tmp_path / "store"
    database = Database(store)
    database.ingest([Batch("s", 1, 0, making.events("a", "b"))])
    database.close()

    assert (
        json.loads(run("stats", "--store", str(store), "--output", "json").stdout)["CloudProcessEvents"]["hot_rows"]
        == 2
    )
    assert "CloudProcessEvents" in run("stats", "--store", str(store)).stdout
    assert run("check", "--store", str(store)).returncode == 0
    assert run("backup", str(tmp_path / "copy"), "--store", str(store)).returncode == 0
    assert run("restore", str(tmp_path / "copy"), "--store", str(tmp_path / "new")).returncode == 0
    for file in (tmp_path / "new").iterdir():
        assert file.name in {"hot.duckdb", "cold"}


def test_check_of_a_missing_store_fails(tmp_path: Path) -> None:
    done = run("check", "--store", str(tmp_path))

    assert (done.returncode, "there is no store" in done.stderr) == (1, True)
