import errno
import os
from pathlib import Path

import pytest

from driftline.errors import ImageError
from driftline.image import format as layout
from driftline.image import tree


def test_the_same_image_gives_the_same_bytes() -> None:
    nodes = list(tree.walk(tree.Directory()))
    assert layout.encode("sha256:1", nodes) == layout.encode("sha256:1", nodes)


def test_path_hashes_differ_between_images() -> None:
    salts = [layout.salt_of(digest) for digest in ("sha256:1", "sha256:2")]
    assert len({layout.hash_path(salt, b"/bin/sh") for salt in salts}) == 2


def test_write_replaces_a_file_atomically(tmp_path: Path) -> None:
    path = tmp_path / "i.index"
    layout.write(b"old", path)
    with path.open("rb") as reader:
        layout.write(b"new", path)
        assert (reader.read(), path.read_bytes(), len(list(tmp_path.iterdir()))) == (b"old", b"new", 1)


def test_full_disk_raises_image_error_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ImageError, match=r"i\.index: No space left on device"):
        layout.write(b"x", tmp_path / "i.index")
    assert list(tmp_path.iterdir()) == []


def test_missing_directory_raises_image_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="No such file or directory"):
        layout.write(b"x", tmp_path / "none" / "i.index")
