import stat
from pathlib import Path

from driftline.atomic_file import replace_file


def test_a_file_is_replaced_whole_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.pem"
    path.write_bytes(b"a longer text that was there before")
    path.chmod(0o644)

    replace_file(path, b"new")

    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o600)
    assert list(tmp_path.iterdir()) == [path]
