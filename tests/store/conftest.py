"""Fixtures of a store that is opened in this process, and of one in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.store.files.database import Database
from driftline.store.process.writer import Writer, start_writer


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Open a store that knows the stream ``s``."""
    opened = Database(tmp_path)
    opened.sequence("s")
    yield opened
    opened.close()


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    """Start the store's process on an empty directory."""
    started = start_writer(tmp_path)
    yield started
    started.close()
