import gzip
from pathlib import Path

import pytest
import zstandard

from driftline.errors import CorruptImage, ImageError, ImageNotFound
from driftline.image import Limits, files
from tests.image import making


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstandard.compress])
def test_members_are_read_in_place(tmp_path: Path, compress: making.Compress) -> None:
    layers = making.archive(making.member("./a/one", data=b"1" * 700), making.member("two", data=b"2"))
    (tmp_path / "x.tar").write_bytes(compress(layers))
    with files.open_archive(tmp_path / "x.tar") as archive:
        with archive.open("two") as two, archive.open("a/one") as one:
            assert (two.read(), one.read(3), one.read()) == (b"2", b"111", b"1" * 697)
        assert ("a/one" in archive, "a" in archive, "none" in archive) == (True, False, False)


def test_links_between_members_are_followed(tmp_path: Path) -> None:
    members = [
        making.member("x/layer.tar", data=b"1"),
        making.symlink("y/layer.tar", "../x/layer.tar"),
        making.link("z/layer.tar", "y/layer.tar"),
        making.symlink("loop", "loop"),
    ]
    (tmp_path / "x.tar").write_bytes(making.archive(*members))
    with files.open_archive(tmp_path / "x.tar") as archive:
        with archive.open("z/layer.tar") as layer:
            assert layer.read() == b"1"
        assert "loop" not in archive


def test_links_never_leave_the_archive(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(making.archive(making.symlink("x", "/etc/passwd")))
    with files.open_archive(tmp_path / "x.tar") as archive, pytest.raises(ImageNotFound, match="no member 'x'"):
        archive.open("x")


@pytest.mark.parametrize("data", [b"x" * 2000, making.archive(making.member("f", data=b"x" * 5000))[:3000]])
def test_malformed_archive_is_corrupt_and_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(CorruptImage, match=r"x\.tar: "), files.open_archive(tmp_path / "x.tar"):
        pass


def test_a_compressed_archive_has_limits(tmp_path: Path) -> None:
    bomb = gzip.compress(making.archive(making.member("f", data=bytes(5 << 20))))
    (tmp_path / "x.tar.gz").write_bytes(bomb)
    with (
        pytest.raises(CorruptImage, match="uncompressed"),
        files.open_archive(tmp_path / "x.tar.gz", limits=Limits(bytes=1 << 20)),
    ):
        pass


def test_a_document_has_a_limit(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_bytes(b" " * (9 << 20))
    with pytest.raises(CorruptImage, match=r"index\.json has more than"):
        files.read_document(files.Directory(tmp_path), "index.json")


def test_unreadable_file_raises_image_error(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    with pytest.raises(ImageNotFound, match="no file 'none'"):
        files.Directory(tmp_path).open("none")
    with pytest.raises(ImageError, match="Is a directory"):
        files.Directory(tmp_path).open("blobs")


@pytest.mark.parametrize("size", ["9" * 18, "5000"])
def test_a_member_longer_than_the_archive_is_truncated(tmp_path: Path, size: str) -> None:
    layers = making.archive(making.member("f", pax_headers={"size": size}))
    (tmp_path / "x.tar").write_bytes(layers[:2048])
    with pytest.raises(CorruptImage, match="truncated"), files.open_archive(tmp_path / "x.tar"):
        pass


def test_huge_holes_are_not_read(tmp_path: Path) -> None:
    sparse = {"GNU.sparse.size": "9" * 18, "GNU.sparse.map": "0,1"}
    (tmp_path / "x.tar").write_bytes(making.archive(making.member("f", data=b"x", pax_headers=sparse)))
    with files.open_archive(tmp_path / "x.tar") as archive:
        assert "f" in archive


def test_error_of_the_consumer_is_not_translated(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(making.archive())
    with pytest.raises(IsADirectoryError), files.open_archive(tmp_path / "x.tar"):
        tmp_path.read_bytes()
