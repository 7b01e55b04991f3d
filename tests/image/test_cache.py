import errno
import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from driftline.errors import CorruptImage, ImageError, InvalidReference
from driftline.image import Blob, Blobs, ImageCache
from tests.image import making

LAYERS = Blobs([making.blob(making.archive(making.member("f", data=b"x")))])


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def test_builds_once_and_then_opens(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path / "deep" / "cache")
    assert cache.get(making.DIGEST) is None
    cache.build(making.DIGEST, LAYERS).close()
    broken = Blobs([Blob("sha256:" + "0" * 64, "", lambda: io.BytesIO(b""))])
    for index in (cache.build(making.DIGEST, broken), cache.get(making.DIGEST)):
        assert index
        assert making.names(index) == [b"/", b"/f"]


@pytest.mark.parametrize("damage", [b"", b"\x7fELF", None], ids=["empty", "foreign", "cut"])
def test_a_damaged_file_is_built_again(tmp_path: Path, damage: bytes | None) -> None:
    cache = ImageCache(tmp_path)
    cache.build(making.DIGEST, LAYERS).close()
    path = cache.path(making.DIGEST)
    path.write_bytes(path.read_bytes()[:-1] if damage is None else damage)
    assert cache.get(making.DIGEST) is None
    assert len(cache.build(making.DIGEST, LAYERS)) == 2


def test_index_of_another_image_is_discarded(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path)
    cache.build(digest(1), LAYERS).close()
    cache.path(digest(1)).rename(cache.path(digest(2)))
    assert cache.get(digest(2)) is None


def test_many_builders_read_the_layers_once(tmp_path: Path) -> None:
    reads = []
    start = threading.Barrier(8)
    layer = making.blob(making.archive(making.member("f")))

    def open_layer() -> io.BytesIO:
        reads.append(1)
        return io.BytesIO(layer.open().read())

    def build(_: int) -> int:
        start.wait()
        with ImageCache(tmp_path).build(making.DIGEST, Blobs([Blob(layer.digest, "", open_layer)])) as index:
            return len(index)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(build, range(8))) == [2] * 8
    assert reads == [1]


def test_least_recently_used_indexes_are_evicted(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path)
    for number in (1, 2, 3):
        cache.build(digest(number), LAYERS).close()
        os.utime(cache.path(digest(number)), (number, number))
    size = cache.path(digest(1)).stat().st_size
    used = cache.get(digest(1))  # now the latest used
    ImageCache(tmp_path, max_bytes=3 * size).build(digest(4), LAYERS).close()
    assert [cache.path(digest(number)).exists() for number in (1, 2, 3, 4)] == [True, False, True, True]
    assert used


def test_an_image_larger_than_the_cache_is_still_indexed(tmp_path: Path) -> None:
    assert len(ImageCache(tmp_path, max_bytes=1).build(making.DIGEST, LAYERS)) == 2


def test_temporary_files_of_a_crashed_builder_are_removed_after_an_hour(tmp_path: Path) -> None:
    for name, age in ((".new-old", 1), (".new-fresh", None)):
        (tmp_path / name).write_text("half")
        if age:
            os.utime(tmp_path / name, (age, age))
    ImageCache(tmp_path).build(making.DIGEST, LAYERS).close()
    assert [path.name for path in tmp_path.glob(".new-*")] == [".new-fresh"]


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "sha256:../x", "sha256:AB", "md5:" + "0" * 64])
def test_malformed_digest_never_becomes_a_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidReference, match="not an image digest"):
        ImageCache(tmp_path).build(name, LAYERS)


def test_corrupt_image_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(CorruptImage):
        ImageCache(tmp_path).build(making.DIGEST, Blobs([Blob("", "", lambda: io.BytesIO(b"x" * 600))]))
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith("lock-")]


def test_cache_directory_that_cannot_be_made_raises_image_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ImageError, match=os.strerror(errno.ENOTDIR)):
        ImageCache(tmp_path / "file" / "cache")
