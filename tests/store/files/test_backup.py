"""A backup holds the store as of one moment; damage is found, and nothing is overwritten."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from driftline import wire
from driftline.errors import InvalidInput, StoreBusy, StoreCorrupt
from driftline.store.files import backup
from driftline.store.files.database import HOT, Database
from driftline.store.files.dedup import Batch
from driftline.store.process.reader import open_reader
from driftline.store.process.socket_server import SocketServer
from driftline.store.query.row_query import RowQuery
from tests.wire import making

EVENTS = "CloudProcessEvents"


def filled(path: Path) -> Database:
    database = Database(path)
    old = [making.event("old", when=making.NOW - datetime.timedelta(days=1))]
    database.ingest([Batch("s", 1, 0, {EVENTS: wire.table(EVENTS, old)})])
    database.move_cold(making.NOW.date())
    database.ingest([Batch("s", 2, 0, making.events("new"))])
    return database


def names(path: Path) -> list[str]:
    with open_reader(path) as reader:
        rows = reader.select(RowQuery(table=EVENTS, order="FileName"))
    return [str(name) for name in rows["FileName"].to_pylist()]


def test_a_backup_of_a_store_in_use_is_restored(tmp_path: Path) -> None:
    database = filled(tmp_path / "store")
    service = SocketServer(database)
    with open_reader(tmp_path / "store") as reader:
        size = reader.backup(tmp_path / "copy")
    database.ingest([Batch("s", 3, 0, making.events("later"))])
    with pytest.raises(StoreBusy):  # copying has not let go of DuckDB's lock
        _open_elsewhere(tmp_path / "store")
    service.close()
    database.close()

    assert backup.restore(tmp_path / "copy", tmp_path / "new") == size
    assert names(tmp_path / "new") == ["new", "old"]
    restored = Database(tmp_path / "new")
    assert list(restored.ingest([Batch("s", 1, 0, making.events("replay", "replay", "x"))])) == [1]
    assert restored.check() == []
    restored.close()


def _open_elsewhere(path: Path) -> None:
    import subprocess
    import sys

    code = (
        f"from driftline.store.files.database import Database; from pathlib import Path; Database(Path({str(path)!r}))"
    )
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=False)
    if "StoreBusy" in done.stderr:
        raise StoreBusy


def test_backup_and_restore_overwrite_nothing(tmp_path: Path) -> None:
    database = filled(tmp_path / "store")
    database.backup(tmp_path / "copy")
    database.close()
    with (
        pytest.raises(InvalidInput, match="expected the name of a new directory"),
        open_reader(tmp_path / "store") as it,
    ):
        it.backup(tmp_path / "copy")
    with pytest.raises(InvalidInput, match="is not empty"):
        backup.restore(tmp_path / "copy", tmp_path / "store")


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_backup_is_not_restored(tmp_path: Path, damage: str) -> None:
    database = filled(tmp_path / "store")
    database.backup(tmp_path / "copy")
    database.close()
    (file,) = (tmp_path / "copy").rglob("*.parquet")
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-1])
    else:
        file.unlink()
    with pytest.raises(StoreCorrupt, match="nothing was restored"):
        backup.restore(tmp_path / "copy", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("text", ["", "{}", '{"files":[{"name":"../x","bytes":1,"sha256":""}]}'])
def test_restore_refuses_an_invalid_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / backup.MANIFEST).write_text(text)
    with pytest.raises(InvalidInput):
        backup.restore(tmp_path, tmp_path / "new")


def test_check_names_each_damaged_parquet_file(tmp_path: Path) -> None:
    database = filled(tmp_path)
    (file,) = tmp_path.rglob("*.parquet")
    whole = file.read_bytes()
    assert database.check() == []
    for data, words in ((whole + b"x", "bytes, found"), (bytes(len(whole)), "cannot be read")):
        file.write_bytes(data)
        (problem,) = database.check()
        assert (str(file) in problem, words in problem) == (True, True)
    database.close()


def test_check_finds_a_damaged_block_of_the_database_file(tmp_path: Path) -> None:
    database = filled(tmp_path)
    rows = [making.event(str(number)) for number in range(20_000)]
    database.ingest([Batch("t", 1, 0, {EVENTS: wire.table(EVENTS, rows)})])
    database.close()
    data = bytearray((tmp_path / HOT).read_bytes())
    for position in range(3 * 4096, len(data), 4096):  # behind the headers
        data[position] ^= 0xFF
    (tmp_path / HOT).write_bytes(data)
    with pytest.raises(StoreCorrupt), open_reader(tmp_path) as reader:
        problems = reader.check()
        if problems:
            raise StoreCorrupt(problems[0])
