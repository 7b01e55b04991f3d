import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from driftline import image
from driftline.errors import InvalidReference
from driftline.image import ImageSource
from tests.image import making

LAYERS = [
    making.blob(making.archive(making.member("f", data=b"1"), making.member("gone")), "+gzip"),
    making.blob(making.archive(making.member(".wh.gone"), making.member("new")), "+zstd"),
]


def paths(tmp_path: Path, source: ImageSource) -> list[bytes]:
    image.build_index(source.digest, source.layers, tmp_path / "index")
    with image.open_index(tmp_path / "index") as index:
        return making.names(index)


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    making.write_layout(tmp_path / "layout", {"web:1": LAYERS})
    return tmp_path / "layout"


@pytest.mark.parametrize("name", ["{}", "oci:{}", "oci:{}:web:1"])
def test_opens_a_layout(tmp_path: Path, layout: Path, name: str) -> None:
    with image.open_image(name.format(layout)) as source:
        assert paths(tmp_path, source) == [b"/", b"/f", b"/new"]


@pytest.mark.parametrize("name", ["{}", "oci:{}", "oci-archive:{}:web:1"])
def test_opens_a_layout_in_an_archive(tmp_path: Path, layout: Path, name: str) -> None:
    packed = making.pack(layout, tmp_path / "a:b.tar")
    with image.open_image(name.format(packed)) as source:
        assert paths(tmp_path, source) == [b"/", b"/f", b"/new"]


def test_opens_archives_of_docker_25(tmp_path: Path, layout: Path) -> None:
    with image.open_image(str(layout)) as source:
        digest, layers = source.digest, [f"blobs/{blob.digest.replace(':', '/')}" for blob in LAYERS]
    manifest = json.loads((layout / "blobs" / digest.replace(":", "/")).read_bytes())
    config = f"blobs/{manifest['config']['digest'].replace(':', '/')}"
    (layout / "manifest.json").write_text(json.dumps([{"Config": config, "RepoTags": ["web:1"], "Layers": layers}]))
    packed = making.pack(layout, tmp_path / "save.tar")
    with image.open_image(str(packed)) as source:
        assert source.digest == digest
    with image.open_image(f"docker-archive:{packed}:web:1") as source:
        assert source.digest == manifest["config"]["digest"]
        assert paths(tmp_path, source) == [b"/", b"/f", b"/new"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("{}/none", "no such file"),
        ("oci:{}/none:ref", "none:ref: no such file"),
        ("{}", r"expected index\.json"),
        ("oci:{}", r"no index\.json"),
        ("docker-archive:{}", r"no manifest\.json"),
    ],
)
def test_unknown_file_lists_the_expected_forms(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(InvalidReference, match=message), image.open_image(name.format(tmp_path)):
        pass


# Archives written by buildah

BUILDAH = ("buildah", "--storage-driver", "vfs")


@pytest.fixture
def storage(tmp_path: Path) -> tuple[str, ...]:
    """Buildah with a private store for this test."""
    if os.geteuid() or not shutil.which("buildah"):
        pytest.skip("needs root and buildah")
    return (*BUILDAH, "--root", str(tmp_path / "root"), "--runroot", str(tmp_path / "run"))


@pytest.mark.e2e
@pytest.mark.parametrize("transport", ["oci", "oci-archive", "docker-archive"])
def test_reads_archives_of_buildah(tmp_path: Path, storage: tuple[str, ...], transport: str) -> None:
    context = tmp_path / "context"
    for name in ("d/kept", "d/gone", "tool"):
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text(name)
    (context / "tool").chmod(0o711)
    (context / "empty").mkdir()
    (context / "Containerfile").write_text("FROM scratch\nCOPY d /d\nCOPY --chown=7:8 tool /bin/tool\nCOPY empty /e\n")
    subprocess.run([*storage, "bud", "--layers", "--isolation", "chroot", "-t", "web:1", context], check=True)
    target = f"{transport}:{tmp_path / 'out'}:localhost/web:1"
    subprocess.run([*storage, "push", "-q", "localhost/web:1", target], check=True)
    with image.open_image(target) as source:
        image.build_index(source.digest, source.layers, tmp_path / "index")
    with image.open_index(tmp_path / "index") as index:
        assert making.names(index) == [b"/", b"/bin", b"/bin/tool", b"/d", b"/d/gone", b"/d/kept", b"/e"]
        assert index.at(b"/bin/tool") == making.file_entry(b"/bin/tool", b"tool", mode=0o711, uid=7, gid=8, layer=1)
