from pathlib import Path

import pytest

from driftline import policy as policies
from driftline.errors import InvalidPolicy
from driftline.sensor.policyfile import PolicyFile

ONE = "rules:\n  - {name: one, priority: 1, action: alert}\n"
TWO = ONE + "  - {name: two, priority: 2, action: block}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(ONE)
    return path


def names(policy: policies.Policy | None) -> list[str]:
    return [rule.name for rule in policy.rules] if policy else []


def test_a_file_that_is_the_same_gives_nothing(path: Path) -> None:
    assert PolicyFile(path).changed() is None


def test_a_file_that_was_written_gives_its_policy_once(path: Path) -> None:
    file = PolicyFile(path)
    path.write_text(TWO)

    assert names(file.changed()) == names(file.current) == ["one", "two"]
    assert file.changed() is None


def test_a_file_that_was_replaced_through_a_link_is_seen(tmp_path: Path) -> None:
    # As the kubelet does with a ConfigMap volume.
    for name, text in (("old", ONE), ("new", TWO)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "policy.yaml").write_text(text)
    (tmp_path / "data").symlink_to("old")
    file = PolicyFile(tmp_path / "data" / "policy.yaml")
    (tmp_path / "next").symlink_to("new")
    (tmp_path / "next").replace(tmp_path / "data")

    assert names(file.changed()) == ["one", "two"]


def test_what_is_wrong_is_said_once_and_the_policy_in_force_stays(path: Path) -> None:
    file = PolicyFile(path)
    path.write_text("rules: [{}]\n")
    with pytest.raises(InvalidPolicy):
        file.changed()

    assert file.changed() is None
    assert names(file.current) == ["one"]


def test_a_file_that_is_gone_is_said(path: Path) -> None:
    file = PolicyFile(path)
    path.unlink()

    with pytest.raises(InvalidPolicy, match="No such file"):
        file.changed()


def test_without_a_file_the_built_in_policy_holds() -> None:
    file = PolicyFile(None)

    assert (file.current, file.changed(), file.source) == (policies.DEFAULT, None, "built in")
