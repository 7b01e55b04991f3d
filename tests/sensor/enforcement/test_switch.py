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


def test_disarm_and_arm_create_and_remove_the_switch(file: Path) -> None:
    before = switch.is_disarmed()
    switch.disarm("an update breaks")
    while_off = switch.is_disarmed()
    said = file.read_text()
    switch.arm()

    assert (before, while_off, switch.is_disarmed()) == (False, True, False)
    assert said.endswith(": an update breaks\n")


def test_disarm_removes_pinned_guards(file: Path, tmp_path: Path) -> None:
    (tmp_path / "bpf").mkdir()
    (tmp_path / "bpf/guard_exec").touch()
    switch.disarm("")

    assert list((tmp_path / "bpf").iterdir()) == []


def test_an_unwritable_switch_is_an_error(file: Path, tmp_path: Path) -> None:
    (tmp_path / "run").touch()

    with pytest.raises(DriftlineError, match="cannot turn blocking off"):
        switch.disarm("")
