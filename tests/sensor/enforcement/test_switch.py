from pathlib import Path

import pytest

from driftline.errors import DriftlineError
from driftline.sensor.enforcement import switch


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "run" / "disarmed"
    monkeypatch.setattr(switch, "SWITCH", path)
    monkeypatch.setattr(switch, "GUARDS_FOLDER", tmp_path / "bpf")
    return path


def test_it_is_turned_and_turned_back(file: Path) -> None:
    before = switch.is_disarmed()
    switch.disarm("an update breaks")
    while_off = switch.is_disarmed()
    said = file.read_text()
    switch.arm()

    assert (before, while_off, switch.is_disarmed()) == (False, True, False)
    assert said.endswith(": an update breaks\n")


def test_pinned_guards_are_removed_with_it(file: Path, tmp_path: Path) -> None:
    (tmp_path / "bpf").mkdir()
    (tmp_path / "bpf/guard_exec").touch()
    switch.disarm("")

    assert list((tmp_path / "bpf").iterdir()) == []


def test_who_may_not_write_is_told(file: Path, tmp_path: Path) -> None:
    (tmp_path / "run").touch()

    with pytest.raises(DriftlineError, match="cannot turn blocking off"):
        switch.disarm("")
