import hashlib
import json
from pathlib import Path

import pytest

from driftline.errors import CorruptImage, ImageNotFound, InvalidReference
from driftline.image import docker, files
from tests.image import making

LAYER = making.archive(making.member("f"))


def write(path: Path, *tags: str, layers: int = 1) -> dict[str, str]:
    """Write an archive as docker save before 25.0; return the image id of each tag."""
    saved, ids = [], {}
    for tag in tags:
        config = json.dumps({"tag": tag, "rootfs": {"diff_ids": [making.sha256(LAYER)] * layers}}).encode()
        name = hashlib.sha256(config).hexdigest()
        (path / f"{name}.json").write_bytes(config)
        (path / "layer.tar").write_bytes(LAYER)
        saved.append({"Config": f"{name}.json", "RepoTags": [tag], "Layers": ["layer.tar"]})
        ids[tag] = f"sha256:{name}"
    (path / "manifest.json").write_text(json.dumps(saved))
    return ids


def test_empty_reference_chooses_the_only_image(tmp_path: Path) -> None:
    ids = write(tmp_path, "web:1")
    found = docker.find_image(files.Directory(tmp_path))
    assert (found.digest, [layer.diff_id for layer in found.layers]) == (ids["web:1"], [making.sha256(LAYER)])
    with found.layers[0].open() as layer:
        assert layer.read() == LAYER


def test_chooses_by_tag_or_id(tmp_path: Path) -> None:
    ids = write(tmp_path, "web:1", "web:2")
    for reference in ("web:2", ids["web:2"]):
        assert docker.find_image(files.Directory(tmp_path), reference).digest == ids["web:2"]


def test_ambiguous_reference_lists_the_images(tmp_path: Path) -> None:
    write(tmp_path, "web:1", "web:2")
    with pytest.raises(InvalidReference, match="2 images; name one of web:1, web:2"):
        docker.find_image(files.Directory(tmp_path))


def test_unknown_tag_lists_the_images(tmp_path: Path) -> None:
    write(tmp_path, "web:1")
    with pytest.raises(ImageNotFound, match="no image 'web:3'; it has web:1"):
        docker.find_image(files.Directory(tmp_path), "web:3")


def test_diff_ids_must_match_the_layers(tmp_path: Path) -> None:
    write(tmp_path, "web:1", layers=2)
    with pytest.raises(CorruptImage, match="2 diff ids for 1 layers"):
        docker.find_image(files.Directory(tmp_path))


@pytest.mark.parametrize("text", ["", "{}", "[3]", '[{"Config": "x"}]'])
def test_malformed_manifest_is_corrupt(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(CorruptImage, match="no list of images"):
        docker.find_image(files.Directory(tmp_path))
