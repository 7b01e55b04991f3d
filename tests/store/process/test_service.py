"""The store's process loses and repeats no row, and serves only its owner."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from driftline.errors import StoreError
from driftline.events import stream
from driftline.store.process.protocol import REQUEST_HEAD, SOCKET
from driftline.store.process.reader import open_reader
from driftline.store.process.service import ACK
from driftline.store.process.writer import Writer, start_writer
from tests.store.rows import alert, event, names

pytestmark = pytest.mark.timeout(240)


def lines(*names: str) -> list[bytes]:
    return [stream.encode(event(name)) for name in names]


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_rows_are_readable_while_the_process_runs_and_after(tmp_path: Path) -> None:
    writer = start_writer(tmp_path)
    writer.write(lines("a", "b"))
    with open_reader(tmp_path) as reader:
        wait_until(lambda: names(reader) == ["a", "b"])
    writer.close()
    with open_reader(tmp_path) as reader:
        assert names(reader) == ["a", "b"]
    assert writer.lost == 0


def test_a_killed_process_neither_loses_nor_repeats_rows(writer: Writer, tmp_path: Path) -> None:
    expected = []
    for round_ in range(5):
        batch = [f"{round_}-{number:03}" for number in range(200)]
        expected += batch
        writer.write(lines(*batch))
        os.kill(writer.pid, signal.SIGKILL)
    wait_until(lambda: len(stored(tmp_path)) >= len(expected))

    assert stored(tmp_path) == expected


def test_rows_without_an_alert_share_a_commit_and_an_alert_ends_the_wait(tmp_path: Path) -> None:
    command = (sys.executable, "-P", "-m", "driftline.store.process.service", str(tmp_path), "stream")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        acks = [process.stdout.read(ACK.size)]
        for name in range(100):
            process.stdin.write(stream.encode(event(f"{name:03}")))
            process.stdin.flush()
            time.sleep(0.002)
        process.stdin.write(stream.encode(alert()))
        process.stdin.flush()
        while ACK.unpack(acks[-1]) < (101,):  # with standard input open: its end does not cause this commit
            acks.append(process.stdout.read(ACK.size))
        process.stdin.close()

    assert len(acks) < 20
    assert len(stored(tmp_path)) == 100


def stored(path: Path) -> list[str]:
    """Return the stored names, as soon as a process or the files can be read."""
    while True:
        try:
            with open_reader(path) as reader:
                return names(reader)
        except StoreError:
            time.sleep(0.05)


def test_lines_beyond_the_byte_limit_are_counted_as_lost(tmp_path: Path) -> None:
    writer = start_writer(tmp_path, max_bytes=1)
    writer.write(lines("a", "b"))
    writer.close()

    assert writer.lost == 2


def test_two_writers_are_refused(writer: Writer, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="could not be opened"):
        start_writer(tmp_path)


def test_an_undecodable_line_is_skipped(writer: Writer, tmp_path: Path) -> None:
    writer.write([b"nonsense\n", *lines("a")])
    with open_reader(tmp_path) as reader:
        wait_until(lambda: names(reader) == ["a"])


def test_the_socket_is_open_to_its_owner_only(writer: Writer, tmp_path: Path) -> None:
    assert (tmp_path / SOCKET).stat().st_mode & 0o777 == 0o600


def test_a_malformed_request_gets_an_error_or_closes_the_connection(writer: Writer, tmp_path: Path) -> None:
    for request in (b"\xff\xff\xff\xff", REQUEST_HEAD.pack(3) + b"{}{", REQUEST_HEAD.pack(2) + b"{}"):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(tmp_path / SOCKET))
            peer.sendall(request)
            peer.shutdown(socket.SHUT_WR)
            assert peer.recv(1) in (b"", b"\x02")
    writer.write(lines("a"))
    with open_reader(tmp_path) as reader:
        wait_until(lambda: names(reader) == ["a"])
