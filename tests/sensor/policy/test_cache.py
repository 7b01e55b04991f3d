import stat
from pathlib import Path

import pytest

from driftline.errors import InvalidPolicy, TamperedPolicy
from driftline.sensor.policy import cache
from driftline.sensor.policy.cache import FILE, LAST_GOOD, CachedPolicy

ONE = CachedPolicy(name="default", version=1, text="rules: []\n")
TWO = CachedPolicy(name="prod-eu", version=2, text="rules: [] # \u00fc\n")


def test_a_cached_policy_is_read_back_and_private_to_its_owner(tmp_path: Path) -> None:
    cache.write(tmp_path, TWO, runs="")

    assert cache.read(tmp_path / FILE) == TWO
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_the_policy_in_force_is_kept_as_last_good(tmp_path: Path) -> None:
    cache.write(tmp_path, ONE, runs="")
    cache.write(tmp_path, TWO, runs=ONE.label)

    assert (cache.read_intact(tmp_path / FILE), cache.read_intact(tmp_path / LAST_GOOD)) == (TWO, ONE)


def test_a_refused_policy_is_not_kept_as_last_good(tmp_path: Path) -> None:
    cache.write(tmp_path, ONE, runs="")
    cache.write(tmp_path, TWO, runs="default:0")

    assert cache.read(tmp_path / LAST_GOOD) is None


@pytest.mark.parametrize("text", ["", "rules: []\n", "# driftline policy default version 1 sha256:00\nrules: []\n"])
def test_an_edited_file_is_reported_as_tampered(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)

    assert cache.read_intact(tmp_path / FILE) is None
    with pytest.raises(TamperedPolicy):
        cache.read(tmp_path / FILE)


def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()

    with pytest.raises(InvalidPolicy, match="Is a directory"):
        cache.read(tmp_path / FILE)
