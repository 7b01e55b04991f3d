from pathlib import Path

import pytest

from driftline.errors import CorruptImage
from driftline.image import Limits
from tests.image import making


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(entries=3), "more than 3 entries"),
        (Limits(bytes=5000), "more than 5000 bytes uncompressed"),
        (Limits(path=8), "a path of 9 bytes"),
        (Limits(path_bytes=20), "more than 20 bytes of paths"),
        (Limits(depth=3), "nested more than 3 deep"),
        (Limits(layers=0), "1 layers"),
    ],
)
def test_image_beyond_a_limit_is_corrupt(tmp_path: Path, limits: Limits, message: str) -> None:
    layer = making.archive(making.member("a/b/c/d/e"), making.member("f", data=b"x" * 3000))
    with pytest.raises(CorruptImage, match=message):
        making.build(tmp_path, layer, limits=limits)


@pytest.mark.parametrize("compression", ["+gzip", "+zstd"])
def test_decompression_bomb_is_stopped_early(tmp_path: Path, compression: str) -> None:
    bomb = making.blob(making.archive(making.member("zeros", data=bytes(8 << 20))), compression)
    with pytest.raises(CorruptImage, match=r"layer 0 \(sha256:.*over 200 to 1"):
        making.build_blobs(tmp_path, bomb, limits=Limits(ratio_floor=1 << 20))


def test_symlinked_parents_cannot_exceed_path_max(tmp_path: Path) -> None:
    deep = "/".join(["n" * 200] * 15)
    members = [making.symlink("s", deep), making.member("s/" + deep + "/x")]
    with pytest.raises(CorruptImage, match="at most 4096"):
        making.build(tmp_path, making.archive(*members))


def test_symlinked_parents_cannot_nest_deeper_than_the_limit(tmp_path: Path) -> None:
    deep = "/".join("d" * 200)
    members = [making.symlink("s", deep), making.member("s/" + deep + "/x")]
    with pytest.raises(CorruptImage, match="nested more than 256 deep"):
        making.build(tmp_path, making.archive(*members))
