"""Starting and stopping a server process."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import httpx
import pytest

from tests.server import serving


def test_a_server_stops_in_time_and_keeps_its_state(tmp_path: Path) -> None:
    with serving.serve(tmp_path) as first:
        token = first.admin.headers["Authorization"]
        assert serving.stop(first.process) == 0
    process = serving.start(tmp_path)
    try:
        url = serving.address(tmp_path)
        serving.wait_until(lambda: serving.answers(url))
        assert httpx.get(f"{url}/api/v1/whoami", headers={"Authorization": token}).json()["name"] == "root"
        assert len(re.findall("setup token", (tmp_path / "log").read_text())) == 1
    finally:
        serving.stop(process)


def test_a_killed_server_keeps_confirmed_writes(tmp_path: Path) -> None:
    confirmed: list[str] = []
    with serving.serve(tmp_path) as first:
        token = first.admin.headers["Authorization"]
        killer = threading.Timer(0.5, first.process.kill)
        killer.start()
        with pytest.raises(httpx.TransportError):
            while True:
                body = {"name": f"t{len(confirmed)}", "scopes": [], "days": 1}
                confirmed.append(first.admin.post("/tokens", json=body).json()["id"])
        killer.join()
        first.process.wait()
    process = serving.start(tmp_path)
    try:
        url = serving.address(tmp_path)
        serving.wait_until(lambda: serving.answers(url))
        there = httpx.get(f"{url}/api/v1/tokens", headers={"Authorization": token}).json()
        assert set(confirmed) <= {each["id"] for each in there}
    finally:
        serving.stop(process)


def test_a_used_port_is_an_error(tmp_path: Path) -> None:
    with serving.serve(tmp_path / "first"):
        (tmp_path / "second").mkdir()
        (tmp_path / "second" / "port").write_text((tmp_path / "first" / "port").read_text())
        second = serving.start(tmp_path / "second")

        assert second.wait(serving.SECONDS) == 2
        assert "cannot listen on 127.0.0.1:" in (tmp_path / "second" / "log").read_text()


def test_a_damaged_state_ends_the_start_with_advice_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "state.db").write_bytes(b"not a database" * 1000)
    process = serving.start(tmp_path)
    code = process.wait(serving.SECONDS)
    log = (tmp_path / "log").read_text()

    assert (code, "Traceback" in log) == (1, False)
    assert "state.db is damaged" in log
    assert "restore it from a backup" in log
