"""The spool: bounds, priorities, and consistency after kill -9, torn writes and a full disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.sensor.shipping.spool import Entry, Priority, Spool

BLOCK = 4096


def opened(path: Path, *, blocks: int = 1000, clock: float = 1.0) -> Spool:
    return Spool(path, max_bytes=blocks * BLOCK, clock=lambda: clock)


def put(spool: Spool, priority: Priority, data: bytes, *, rows: int = 1, taken: int = 0) -> None:
    spool.put({priority: (data, rows)}, stream="s", taken=taken)


def drain(spool: Spool) -> list[bytes]:
    found = []
    while held := spool.hold_next(0):
        found.append(held[1])
        spool.remove(held[0])
    return found


def test_batches_come_by_priority_then_age(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    for data, priority in (
        (b"p1", Priority.PLAIN),
        (b"a1", Priority.ALERT),
        (b"d1", Priority.DRIFT),
        (b"a2", Priority.ALERT),
    ):
        put(spool, priority, data)

    assert drain(spool) == [b"a1", b"a2", b"d1", b"p1"]
    assert (len(spool), spool.size, os.listdir(tmp_path)) == (0, 0, ["state.json"])


def test_rows_are_numbered_consecutively(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.put({Priority.PLAIN: (b"p", 3), Priority.ALERT: (b"a", 2)}, stream="s", taken=0)
    held = [spool.hold_next(0)]
    spool.remove(held[0][0])  # type: ignore[index] # it is there
    held.append(spool.hold_next(0))

    assert [(it[0].first, it[0].rows) for it in held if it] == [(1_000_000, 2), (1_000_002, 3)]
    assert spool.floor() == 1_000_002


def test_numbers_continue_after_a_restart_with_any_clock(tmp_path: Path) -> None:
    put(opened(tmp_path, clock=5.0), Priority.PLAIN, b"x", rows=10)
    spool = opened(tmp_path, clock=1.0)
    drain(spool)

    assert spool.floor() == 5_000_010


def test_the_oldest_batch_of_the_lowest_priority_is_dropped_first_and_counted(tmp_path: Path) -> None:
    spool = opened(tmp_path, blocks=3)
    for data, priority in (
        (b"a1", Priority.ALERT),
        (b"p1", Priority.PLAIN),
        (b"d1", Priority.DRIFT),
        (b"p2", Priority.PLAIN),
    ):
        put(spool, priority, data, rows=2)
    put(spool, Priority.ALERT, b"a2", rows=2)

    assert spool.take_dropped() == {"spool full": 4}
    assert spool.take_dropped() == {}
    assert drain(spool) == [b"a1", b"a2", b"d1"]


def test_no_batch_of_higher_priority_is_dropped_for_a_new_one(tmp_path: Path) -> None:
    spool = opened(tmp_path, blocks=1)
    put(spool, Priority.ALERT, b"a")
    put(spool, Priority.PLAIN, b"p", rows=7)

    assert (spool.take_dropped(), drain(spool)) == ({"spool full": 7}, [b"a"])


def test_a_held_batch_is_not_dropped(tmp_path: Path) -> None:
    spool = opened(tmp_path, blocks=2)
    put(spool, Priority.PLAIN, b"p1")
    held = spool.hold_next(0)
    put(spool, Priority.PLAIN, b"p2")
    put(spool, Priority.PLAIN, b"p3")
    assert held
    spool.release()

    assert drain(spool) == [b"p1", b"p3"]


def test_a_damaged_batch_is_skipped_and_counted(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    for data in (b"one", b"two", b"three"):
        put(spool, Priority.PLAIN, data)
    first, second, _ = sorted(tmp_path.glob("*.batch"))
    first.write_bytes(first.read_bytes()[:-1])
    second.unlink()

    assert drain(spool) == [b"three"]
    assert spool.take_dropped() == {"spool damaged": 2}


def test_unreported_drops_are_reported_after_a_restart(tmp_path: Path) -> None:
    spool = opened(tmp_path, blocks=1)
    put(spool, Priority.PLAIN, b"p1", rows=5)
    put(spool, Priority.PLAIN, b"p2")

    assert opened(tmp_path).take_dropped() == {"spool full": 5}


def test_uncommitted_files_are_removed_and_committed_ones_kept(tmp_path: Path) -> None:
    put(opened(tmp_path), Priority.PLAIN, b"kept")
    (path,) = tmp_path.glob("*.batch")
    path.rename(path.with_name(path.name + ".new"))  # as if killed before its renaming
    (tmp_path / "00000000000000000009-1-0.batch.new").write_bytes(b"torn")
    spool = opened(tmp_path)

    assert drain(spool) == [b"kept"]
    assert not list(tmp_path.glob("*.new"))


FAILPOINTS = 60
"""System calls at which a process is killed: enough for an opening with recovery and three puts."""
PUT = """
import os, signal, sys
from pathlib import Path

from driftline.sensor.shipping.spool import Priority, Spool

write, remaining = os.write, int(sys.argv[2])


def failpoint(call):
    def counted(*arguments, **options):
        global remaining
        remaining -= 1
        if not remaining:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)

    return counted


def put_until_killed():
    for name in ("open", "write", "fdatasync", "fsync", "rename", "unlink"):
        setattr(os, name, failpoint(getattr(os, name)))
    spool = Spool(Path(sys.argv[1]))
    line = spool.taken("s")
    write(1, b"open %d\\n" % line)
    while True:
        names = [b"%d" % number for number in range(line + 1, line + 4)]
        line += 3
        spool.put({Priority(number): (names[number], 1) for number in range(3)}, stream="s", taken=line)
        write(1, b"put %d\\n" % line)


for at in range(1, remaining + 1):
    child = os.fork()
    if not child:
        remaining = at
        put_until_killed()
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
"""


def test_a_kill_at_any_system_call_neither_loses_nor_duplicates_a_line(tmp_path: Path) -> None:
    command = (sys.executable, "-c", PUT, str(tmp_path), str(FAILPOINTS))
    reported = subprocess.run(command, check=True, capture_output=True, timeout=50).stdout.splitlines()
    taken = 0
    for kind, line in (entry.split() for entry in reported):
        assert int(line) >= taken  # a later opening knows every line that was reported as taken
        assert kind in (b"open", b"put")
        taken = int(line)
    spool = Spool(tmp_path)

    assert spool.taken("s") >= taken > 2 * FAILPOINTS
    assert sorted(int(name) for name in drain(spool)) == list(range(1, spool.taken("s") + 1))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid():
        pytest.skip("mounting a small disk needs root")
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", tmp_path), check=True)
    yield tmp_path
    subprocess.run(("umount", "--lazy", tmp_path), check=True)


def test_a_full_disk_drops_the_lowest_priority(small_disk: Path) -> None:
    spool = Spool(small_disk)
    put(spool, Priority.ALERT, b"alert")
    for number in range(40):
        put(spool, Priority.PLAIN, b"%02d" % number + bytes(10_000))
    found = drain(Spool(small_disk))

    assert found[0] == b"alert"
    assert found[-1][:2] == b"39"
    assert spool.take_dropped()["spool full"] == 40 - len(found[1:])


def test_a_disk_filled_by_other_files_still_counts_drops(small_disk: Path) -> None:
    spool = Spool(small_disk)
    with (small_disk / "others").open("wb", buffering=0) as others, pytest.raises(OSError, match="No space"):
        while True:
            others.write(bytes(BLOCK))
    put(spool, Priority.PLAIN, b"x", rows=3)

    assert sum(spool.take_dropped().values()) == 3
    (small_disk / "others").unlink()
    put(spool, Priority.PLAIN, b"y")
    assert drain(spool) == [b"y"]


def test_a_wait_ends_when_a_batch_is_put(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    assert spool.hold_next(0.01) is None
    put(spool, Priority.PLAIN, b"x")
    entry = Entry(1_000_000, 1, Priority.PLAIN, BLOCK)

    assert spool.hold_next(10) == (entry, b"x")
