import stat
from pathlib import Path

import pytest

from driftline.errors import InvalidPolicy, TamperedPolicy
from driftline.sensor.policy import cache
from driftline.sensor.policy.cache import FILE, LAST_GOOD, CachedPolicy

ONE = CachedPolicy(name="default", version=1, text="rules: []\n")
TWO = CachedPolicy(name="prod-eu", version=2, text="rules: [] # \u00fc\n")


def test_what_is_kept_is_read_and_nobody_else_may(tmp_path: Path) -> None:
    cache.write(tmp_path, TWO, runs="")

    assert cache.read(tmp_path / FILE) == TWO
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_what_the_sensor_runs_stays_as_the_good_one(tmp_path: Path) -> None:
    cache.write(tmp_path, ONE, runs="")
    cache.write(tmp_path, TWO, runs=ONE.label)

    assert (cache.read_intact(tmp_path / FILE), cache.read_intact(tmp_path / LAST_GOOD)) == (TWO, ONE)


def test_what_the_sensor_refused_is_not_kept_as_good(tmp_path: Path) -> None:
    cache.write(tmp_path, ONE, runs="")
    cache.write(tmp_path, TWO, runs="default:0")

    assert cache.read(tmp_path / LAST_GOOD) is None


@pytest.mark.parametrize("text", ["", "rules: []\n", "# driftline policy default version 1 sha256:00\nrules: []\n"])
def test_a_file_of_other_hands_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)

    assert cache.read_intact(tmp_path / FILE) is None
    with pytest.raises(TamperedPolicy):
        cache.read(tmp_path / FILE)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()

    with pytest.raises(InvalidPolicy, match="Is a directory"):
        cache.read(tmp_path / FILE)
