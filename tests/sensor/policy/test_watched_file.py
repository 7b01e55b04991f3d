from collections.abc import Callable
from pathlib import Path

import pytest

from driftline import policy as policies
from driftline.errors import InvalidPolicy, TamperedPolicy
from driftline.sensor.policy import cache
from driftline.sensor.policy.cache import CachedPolicy
from driftline.sensor.policy.watched_file import PolicyFile, ServedPolicy

ONE = "rules:\n  - {name: one, priority: 1, action: alert}\n"
TWO = ONE + "  - {name: two, priority: 2, action: block}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(ONE)
    return path


def names(policy: policies.Policy | None) -> list[str]:
    return [rule.name for rule in policy.rules] if policy else []


def test_an_unchanged_file_gives_no_policy(path: Path) -> None:
    assert PolicyFile(path).changed() is None


def test_a_written_file_gives_its_policy_once(path: Path) -> None:
    file = PolicyFile(path)
    path.write_text(TWO)

    assert names(file.changed()) == names(file.current) == ["one", "two"]
    assert file.changed() is None


def test_a_file_replaced_through_a_symlink_is_reloaded(tmp_path: Path) -> None:
    # As the kubelet does with a ConfigMap volume.
    for name, text in (("old", ONE), ("new", TWO)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "policy.yaml").write_text(text)
    (tmp_path / "data").symlink_to("old")
    file = PolicyFile(tmp_path / "data" / "policy.yaml")
    (tmp_path / "next").symlink_to("new")
    (tmp_path / "next").replace(tmp_path / "data")

    assert names(file.changed()) == ["one", "two"]


def test_an_invalid_file_raises_once_and_the_policy_stays(path: Path) -> None:
    file = PolicyFile(path)
    path.write_text("rules: [{}]\n")
    with pytest.raises(InvalidPolicy):
        file.changed()

    assert file.changed() is None
    assert names(file.current) == ["one"]


def test_a_missing_file_is_an_error(path: Path) -> None:
    file = PolicyFile(path)
    path.unlink()

    with pytest.raises(InvalidPolicy, match="No such file"):
        file.changed()


def test_without_a_file_the_default_policy_is_in_force() -> None:
    file = PolicyFile(None)

    assert (file.current, file.changed(), file.source) == (policies.DEFAULT, None, "built in")


def keep(directory: Path, version: int, text: str, *, runs: str = "") -> None:
    cache.write(directory, CachedPolicy(name="default", version=version, text=text), runs=runs)


def test_a_sensor_starts_with_the_default_before_the_server_sends_a_policy(tmp_path: Path) -> None:
    served = ServedPolicy(tmp_path)
    assert (served.current, served.source, served.changed()) == (policies.DEFAULT, "built in", None)

    keep(tmp_path, 1, ONE)

    assert (names(served.changed()), served.source) == (["one"], "default:1")


def test_a_restart_uses_the_cached_policy(tmp_path: Path) -> None:
    keep(tmp_path, 7, TWO)

    served = ServedPolicy(tmp_path)

    assert (names(served.current), served.source, served.changed()) == (["one", "two"], "default:7", None)


def test_a_restart_with_an_invalid_cached_policy_uses_the_last_good_one(tmp_path: Path) -> None:
    keep(tmp_path, 1, ONE)
    keep(tmp_path, 2, "rules: [{}]\n", runs="default:1")

    served = ServedPolicy(tmp_path)

    assert (names(served.current), served.source) == (["one"], "default:1")
    with pytest.raises(InvalidPolicy):
        served.changed()
    assert served.offered == "default:2"


def _edited(path: Path) -> None:
    path.write_text(path.read_text().replace("alert", "ignore"))


@pytest.mark.parametrize("tamper", [Path.unlink, _edited], ids=["removed", "edited"])
def test_an_edited_cached_policy_is_refused(tmp_path: Path, tamper: Callable[[Path], None]) -> None:
    keep(tmp_path, 1, ONE)
    served = ServedPolicy(tmp_path)
    tamper(tmp_path / cache.FILE)

    with pytest.raises(TamperedPolicy):
        served.changed()

    assert (names(served.current), served.changed()) == (["one"], None)


def test_a_sensor_starts_with_an_edited_cached_policy(tmp_path: Path) -> None:
    keep(tmp_path, 1, ONE)
    _edited(tmp_path / cache.FILE)

    served = ServedPolicy(tmp_path)

    assert (served.current, served.source) == (policies.DEFAULT, "built in")
    with pytest.raises(TamperedPolicy):
        served.changed()
