"""Packages that a command does not need are not imported, because each costs start time.

Imports are compared by name; no test measures time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENGINES = {"pyarrow", "numpy", "duckdb", "sqlglot", "pandas"}
CLIENTS = {"httpx", "grpc", "sqlalchemy", "fastapi"}
REPORT = "import sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
CODE = REPORT + "from driftline.cli import main; main()"


def imported(*arguments: str, path: Path | None = None) -> set[str]:
    """Return the names of the modules that a command imported."""
    paths = ([str(path)] if path else []) + [each for each in sys.path if each]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    found = subprocess.run(
        [sys.executable, "-c", CODE, *arguments], capture_output=True, text=True, check=True, env=environment
    )
    return set(found.stderr.split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_imports_no_engine_and_no_client(arguments: list[str]) -> None:
    assert not (ENGINES | CLIENTS | {"yaml", "msgspec"}) & imported(*arguments)


@pytest.mark.parametrize(
    "query",
    ["print 1", "print 'x', 1.5, dynamic([1])", "datatable(t: datetime)[datetime(2026-01-01)] | evaluate pivot(t)"],
)
def test_a_hunt_imports_no_pandas_and_no_client(query: str, tmp_path: Path) -> None:
    (tmp_path / "pandas").mkdir()
    (tmp_path / "pandas" / "__init__.py").write_text("raise SystemExit('pandas was imported')")

    assert not (CLIENTS | {"pandas"}) & imported("hunt", query, path=tmp_path)
