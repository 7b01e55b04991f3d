"""Image files in the maps of a loaded eBPF object."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from driftline.errors import ImageError
from driftline.image import ImageIndex, LowerDirs, build_index, open_index
from driftline.sensor.bpf.block_maps import HASH_KEY
from driftline.sensor.bpf.kernel import KernelSide
from driftline.sensor.enforcement.image_maps import ImageMaps

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def side() -> Iterator[KernelSide]:
    if os.geteuid():
        pytest.skip("loading eBPF needs root")
    with KernelSide() as loaded:
        yield loaded


@pytest.fixture
def maps(side: KernelSide) -> Iterator[ImageMaps]:
    made = ImageMaps(side.blocking)
    yield made
    made.keep(())
    made.close()


@pytest.fixture
def index(tmp_path: Path) -> Iterator["Future[ImageIndex]"]:
    (tmp_path / "layer/bin").mkdir(parents=True)
    (tmp_path / "layer/bin/a").write_bytes(b"one")
    (tmp_path / "layer/bin/b").write_bytes(b"two!")
    (tmp_path / "layer/bin/link").symlink_to("a")
    build_index("sha256:" + "0" * 64, LowerDirs((os.fsencode(tmp_path / "layer"),)), tmp_path / "index")
    with open_index(tmp_path / "index") as opened:
        found: Future[ImageIndex] = Future()
        found.set_result(opened)
        yield found


def entries(side: KernelSide) -> int:
    """Return the number of entries in the map."""
    return len(side._object.keys("image_files", HASH_KEY.size))


def wait_for(maps: ImageMaps, index: "Future[ImageIndex]") -> None:
    deadline = time.monotonic() + 10
    while index not in maps.take():
        assert time.monotonic() < deadline


def test_an_image_is_loaded_once_and_then_returned(
    side: KernelSide, maps: ImageMaps, index: "Future[ImageIndex]"
) -> None:
    assert maps.of(index) is None
    wait_for(maps, index)
    found = maps.of(index)

    assert found and not found.has_long_paths
    assert entries(side) == 4  # two paths and two sizes; a symlink is no file to run
    assert maps.of(index) is found


def test_an_unused_image_is_removed_from_the_map(
    side: KernelSide, maps: ImageMaps, index: "Future[ImageIndex]"
) -> None:
    maps.of(index)
    wait_for(maps, index)
    maps.keep(())
    deadline = time.monotonic() + 10

    while entries(side):
        assert time.monotonic() < deadline, "still there"


def test_an_image_whose_index_failed_has_no_map_entries(maps: ImageMaps) -> None:
    failed: Future[ImageIndex] = Future()
    failed.set_exception(ImageError("no"))

    assert maps.of(failed) is None
    assert maps.take() == set()
