import os
import random
import struct
from pathlib import Path

import pytest
from isal import isal_zlib

from driftline import image
from driftline.errors import CorruptImage, ImageNotFound
from driftline.image import Entry, ImageIndex, Kind
from driftline.image import format as layout
from tests.image import making
from tests.image.making import archive, directory, link, member, symlink

TREE = archive(
    directory("usr/bin", uid=1, gid=2, mode=0o2750),
    member("usr/bin/env", data=b"env", mode=0o755),
    link("usr/bin/env2", "usr/bin/env"),
    member("copy", data=b"env"),
    member("empty"),
    symlink("bin", "usr/bin"),
    symlink("usr/bin/rel", "../../copy"),
    symlink("usr/bin/abs", "/bin/env"),
    symlink("up", "../../../copy"),
    symlink("loop", "loop"),
    symlink("dangling", "nothing"),
)


@pytest.fixture
def index(tmp_path: Path) -> ImageIndex:
    return making.build(tmp_path, TREE)


def test_finds_every_path_it_lists(index: ImageIndex) -> None:
    assert [index.at(entry.path) for entry in index] == list(index)


def test_lists_paths_in_order(index: ImageIndex) -> None:
    paths = making.names(index)
    assert paths == sorted(paths)
    assert (len(index), paths[0]) == (len(paths), b"/")


def test_entry_has_every_field(index: ImageIndex) -> None:
    assert index.digest == making.DIGEST
    assert index.at(b"/usr/bin") == Entry(b"/usr/bin", Kind.DIRECTORY, 0, 0o2750, 1, 2, "", b"", 0)
    assert index.at(b"/usr/bin/env") == making.file_entry(b"/usr/bin/env", b"env")
    assert index.at(b"/bin") == Entry(b"/bin", Kind.SYMLINK, 0, 0o777, 0, 0, "", b"usr/bin", 0)


@pytest.mark.parametrize("path", [b"", b"usr", b"/usr/", b"//usr", b"/none", b"/bin/env", b"/empty/x", b"/usr/."])
def test_at_returns_none_for_an_unknown_path(index: ImageIndex, path: bytes) -> None:
    assert index.at(path) is None


@pytest.mark.parametrize(
    ("path", "end"),
    [
        (b"/bin/env", b"/usr/bin/env"),
        (b"/bin", b"/usr/bin"),
        (b"/bin/rel", b"/copy"),
        (b"/bin/abs", b"/usr/bin/env"),
        (b"/up", b"/copy"),
        (b"/bin/../../copy", b"/copy"),
        (b"/bin/..", b"/usr"),
        (b"//usr//./bin/", b"/usr/bin"),
        (b"/", b"/"),
    ],
)
def test_resolve_follows_symlinks_inside_the_image(index: ImageIndex, path: bytes, end: bytes) -> None:
    assert index.resolve(path) == index.at(end)


@pytest.mark.parametrize("path", [b"/loop", b"/loop/x", b"/dangling", b"/empty/x", b"/empty/..", b"/none/../copy"])
def test_resolve_returns_none_where_linux_fails(index: ImageIndex, path: bytes) -> None:
    assert index.resolve(path) is None


def test_paths_of_finds_all_paths_of_a_content(index: ImageIndex) -> None:
    digest = making.sha256(b"env").removeprefix("sha256:")
    assert index.paths_of(digest) == (b"/copy", b"/usr/bin/env", b"/usr/bin/env2")


@pytest.mark.parametrize("digest", ["", "zz", "00" * 32, "ff" * 32, "e3b0"])
def test_unknown_content_has_no_path(index: ImageIndex, digest: str) -> None:
    assert index.paths_of(digest) == ()


def test_paths_of_works_in_a_larger_image(tmp_path: Path) -> None:
    contents = {b"/%d" % number: b"%d" % (number % 300) for number in range(1000)}
    index = making.build(tmp_path, archive(*(member(path.decode(), data=data) for path, data in contents.items())))
    for data in set(contents.values()):
        wanted = tuple(sorted(path for path, other in contents.items() if other == data))
        assert index.paths_of(making.sha256(data)[7:]) == wanted


def test_closing_unmaps_the_file(tmp_path: Path) -> None:
    with making.build(tmp_path, TREE) as index:
        assert str(tmp_path) in Path("/proc/self/maps").read_text()
        assert len(index) > 1
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


def test_file_may_be_removed_while_open(tmp_path: Path) -> None:
    with making.build(tmp_path, TREE) as index:
        (tmp_path / "image.index").unlink()
        assert index.at(b"/copy")


# Files that are not an index


@pytest.fixture
def data(tmp_path: Path) -> bytes:
    making.build(tmp_path, TREE).close()
    return (tmp_path / "image.index").read_bytes()


@pytest.mark.parametrize("size", [0, 7, 40, 100, -1])
def test_a_truncated_file_is_corrupt(tmp_path: Path, data: bytes, size: int) -> None:
    (tmp_path / "x").write_bytes(data[:size])
    with pytest.raises(CorruptImage, match=str(tmp_path / "x")):
        image.open_index(tmp_path / "x")


def test_a_foreign_file_is_corrupt() -> None:
    with pytest.raises(CorruptImage, match="begins with b'\\\\x7fELF"):
        image.open_index("/bin/true")


def test_another_version_is_corrupt(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data[:8] + b"\x63\0" + data[10:])
    with pytest.raises(CorruptImage, match="expected version 2"):
        image.open_index(tmp_path / "x")


def test_every_changed_byte_is_detected(tmp_path: Path, data: bytes) -> None:
    for place in range(0, len(data), 7):
        changed = bytearray(data)
        changed[place] ^= 0x55
        (tmp_path / "x").write_bytes(changed)
        with pytest.raises(CorruptImage):
            image.open_index(tmp_path / "x")


def test_a_forged_file_with_a_good_checksum_cannot_crash_a_reader(tmp_path: Path, data: bytes) -> None:
    chance = random.Random(1)
    for _ in range(300):
        forged = bytearray(data[:-4])
        place = chance.randrange(layout.HEADER.size, len(forged) - 4)
        struct.pack_into("=I", forged, place, chance.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, chance.getrandbits(32)]))
        (tmp_path / "x").write_bytes(forged + layout.CHECKSUM.pack(isal_zlib.crc32(bytes(forged))))
        with image.open_index(tmp_path / "x") as index:
            _read_everything(index)


def _read_everything(index: ImageIndex) -> None:
    for path in (b"/copy", b"/usr/bin/rel", b"/bin/env", b"/none"):
        _survive(lambda path=path: index.resolve(path))
    _survive(lambda: index.paths_of(making.sha256(b"env")[7:]))
    _survive(lambda: list(index))


def _survive(read: object) -> None:
    assert callable(read)
    try:
        read()
    except CorruptImage:
        return


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ImageNotFound, match="no image index"):
        image.open_index(tmp_path / "none")


def test_is_index_recognizes_index_files_only(tmp_path: Path, index: ImageIndex) -> None:
    assert index.digest
    paths = (tmp_path / "image.index", "/bin/true", tmp_path, tmp_path / "none", os.devnull)
    assert [image.is_index(path) for path in paths] == [True, False, False, False, False]
