import json
import re
from pathlib import Path
from typing import Any

import pytest

from driftline.errors import CorruptImage, ImageNotFound, InvalidReference
from driftline.image import files, oci
from tests.image import making

ONE = [making.blob(making.archive(making.member("one")), "+gzip")]
TWO = [making.blob(making.archive(making.member("two")), "+zstd")]
INDEX = "application/vnd.oci.image.index.v1+json"


def find(path: Path, reference: str = "", platform: str = "linux/amd64") -> oci.Image:
    return oci.find_image(files.Directory(path), reference, platform=platform)


def test_empty_reference_chooses_the_only_image(tmp_path: Path) -> None:
    digests = making.write_layout(tmp_path, {"latest": ONE})
    found = find(tmp_path)
    assert found.digest == digests["latest"]
    assert [(layer.digest, layer.diff_id) for layer in found.layers] == [(ONE[0].digest, ONE[0].diff_id)]


def test_chooses_by_name_or_digest(tmp_path: Path) -> None:
    digests = making.write_layout(tmp_path, {"one": ONE, "two": TWO})
    assert find(tmp_path, "two").digest == find(tmp_path, digests["two"]).digest == digests["two"]


def test_chooses_by_the_name_containerd_writes(tmp_path: Path) -> None:
    entry = making.write_manifest(tmp_path, ONE)
    entry["annotations"] = {"io.containerd.image.name": "docker.io/library/web:1"}
    making.write_index(tmp_path, [entry])
    assert find(tmp_path, "docker.io/library/web:1").digest == entry["digest"]


def test_ambiguous_reference_lists_the_images(tmp_path: Path) -> None:
    making.write_layout(tmp_path, {"one": ONE, "two": TWO})
    with pytest.raises(InvalidReference, match="2 images; name one of one, two"):
        find(tmp_path)


COSIGN = "application/vnd.dev.cosign.simplesigning.v1+json"


@pytest.mark.parametrize(
    "artifact",
    [
        {"layers": [{"mediaType": COSIGN, "digest": making.sha256(b"{}"), "size": 2}]},
        {"blobs": []},
        {"layers": [], "artifactType": "application/spdx+json"},
        {"layers": [], "subject": {"digest": making.sha256(b"{}"), "mediaType": "x", "size": 2}},
        {"layers": [], "config": {"digest": making.sha256(b"{}"), "mediaType": "application/vnd.oci.empty.v1+json"}},
    ],
)
def test_signatures_beside_an_image_are_no_images(tmp_path: Path, artifact: dict[str, Any]) -> None:
    image = making.write_manifest(tmp_path, ONE)
    making.write_blob(tmp_path, b"{}")
    config = {"digest": making.sha256(b"{}"), "mediaType": "application/vnd.oci.image.config.v1+json"}
    signature = making.write_blob(tmp_path, json.dumps({"schemaVersion": 2, "config": config} | artifact).encode())
    listed = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": signature, "size": 0}
    making.write_index(tmp_path, [image, listed])

    assert find(tmp_path).digest == image["digest"]


def test_unknown_name_lists_the_images(tmp_path: Path) -> None:
    making.write_layout(tmp_path, {"one": ONE})
    with pytest.raises(ImageNotFound, match=r"no image 'three'; it has one, sha256:"):
        find(tmp_path, "three")


def nested(path: Path) -> dict[str, str]:
    """A multi-platform image behind two indexes, with an attestation as BuildKit adds it."""
    platforms = {"amd64": ONE, "arm64": TWO}
    entries: list[dict[str, Any]] = [
        making.write_manifest(path, layers) | {"platform": {"os": "linux", "architecture": name}}
        for name, layers in platforms.items()
    ]
    attestation = making.write_manifest(path, []) | {"platform": {"os": "unknown", "architecture": "unknown"}}
    inner = making.write_blob(path, json.dumps({"manifests": [*entries, attestation]}).encode())
    outer = making.write_blob(path, json.dumps({"manifests": [{"mediaType": INDEX, "digest": inner}]}).encode())
    making.write_index(path, [{"mediaType": INDEX, "digest": outer}])
    return {entry["platform"]["architecture"]: entry["digest"] for entry in entries}


def test_chooses_the_platform_in_nested_indexes(tmp_path: Path) -> None:
    digests = nested(tmp_path)
    assert find(tmp_path).digest == digests["amd64"]
    assert find(tmp_path, platform="linux/arm64").digest == digests["arm64"]


def test_a_digest_inside_a_nested_index_is_found(tmp_path: Path) -> None:
    digests = nested(tmp_path)
    assert find(tmp_path, digests["arm64"]).digest == digests["arm64"]


def test_missing_platform_lists_the_platforms(tmp_path: Path) -> None:
    nested(tmp_path)
    with pytest.raises(ImageNotFound, match="no image for linux/s390x; it has linux/amd64, linux/arm64"):
        find(tmp_path, platform="linux/s390x")


def test_endlessly_nested_index_is_corrupt(tmp_path: Path) -> None:
    digest = making.write_blob(tmp_path, b'{"manifests": []}')
    for _ in range(12):
        digest = making.write_blob(tmp_path, json.dumps({"manifests": [{"digest": digest}]}).encode())
    making.write_index(tmp_path, [{"mediaType": INDEX, "digest": digest}])
    with pytest.raises(CorruptImage, match="nested more than 8 deep"):
        find(tmp_path)


def test_a_changed_manifest_is_corrupt(tmp_path: Path) -> None:
    digest = making.write_layout(tmp_path, {"one": ONE})["one"]
    path = tmp_path / "blobs" / digest.replace(":", "/")
    path.write_bytes(path.read_bytes().replace(b"layers", b"Layers"))
    with pytest.raises(CorruptImage, match=f"the blob {digest} has the digest"):
        find(tmp_path)


@pytest.mark.parametrize("digest", ["sha256:../../../etc/passwd", "sha256:" + "A" * 64, "md5:0", ""])
def test_digest_never_becomes_a_path_outside_the_layout(tmp_path: Path, digest: str) -> None:
    making.write_index(tmp_path, [{"digest": digest}])
    with pytest.raises(CorruptImage, match="not a digest"):
        find(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"manifests": 3}', '{"manifests": [{}]}', "[" * 100_000])
def test_malformed_index_is_corrupt(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(CorruptImage, match=re.escape(f"{tmp_path}: index.json is no index")):
        find(tmp_path)


def test_a_missing_blob_is_named(tmp_path: Path) -> None:
    making.write_index(
        tmp_path, [{"digest": "sha256:" + "0" * 64, "mediaType": "application/vnd.oci.image.manifest.v1+json"}]
    )
    with pytest.raises(ImageNotFound, match="no file 'blobs/sha256/000"):
        find(tmp_path)


def test_diff_ids_must_match_the_layers(tmp_path: Path) -> None:
    config = making.write_blob(tmp_path, b'{"rootfs": {"diff_ids": ["sha256:1"]}}')
    manifest = making.write_blob(tmp_path, json.dumps({"config": {"digest": config}, "layers": []}).encode())
    making.write_index(tmp_path, [{"digest": manifest}])
    with pytest.raises(CorruptImage, match="1 diff ids for 0 layers"):
        find(tmp_path)
