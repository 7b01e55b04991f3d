import hashlib
from pathlib import Path

import pytest

import lab as labs
from driftline.cluster import Runtime, _layers, image_layers
from driftline.errors import ImageError, ImageNotFound
from tests.fakes.crio import FakeCrio


@pytest.mark.e2e
def test_layers_of_an_image_without_containers(lab: labs.Lab, runtime: Runtime) -> None:
    layers = runtime.image_layers(lab.image("layers40"))

    assert [len(layers.lowerdirs), len(layers.blobs)] == [40, 40]
    assert Path(layers.lowerdirs[0].decode(), "layers/40").read_text() == "40\n"


@pytest.mark.e2e
def test_image_of_one_layer_has_one_directory(lab: labs.Lab, runtime: Runtime) -> None:
    layers = runtime.image_layers(lab.image("busybox"))

    assert [Path(path.decode(), "bin/busybox").exists() for path in layers.lowerdirs] == [True]


@pytest.mark.e2e
def test_directories_are_those_of_a_running_container(lab: labs.Lab, runtime: Runtime, pod: labs.Pod) -> None:
    container = runtime.container(pod.container("layers40").id)

    layers = runtime.image_layers("localhost/lab/layers40:1")

    assert tuple(path.decode() for path in layers.lowerdirs) == container.lowerdirs
    assert layers.digest == container.image_digest


@pytest.mark.e2e
def test_finding_layers_leaves_no_snapshot(lab: labs.Lab, runtime: Runtime) -> None:
    reference = lab.image("busybox")
    before = lab.runtime.ctr("snapshots", "list").stdout

    runtime.image_layers(reference)

    assert lab.runtime.ctr("snapshots", "list").stdout == before


@pytest.mark.e2e
def test_blob_is_read_from_the_content_store(lab: labs.Lab) -> None:
    layers = image_layers(lab.image("busybox"), address=str(lab.socket))
    blob = layers.blobs[0]

    with blob.open() as opened:
        content = opened.read()

    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == blob.digest
    assert (len(content), blob.media_type) == (blob.size, "application/vnd.oci.image.layer.v1.tar+gzip")


@pytest.mark.e2e
def test_blob_is_read_by_rpc_if_the_store_is_unreadable(
    lab: labs.Lab, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_layers, "_content_root", lambda _: Path("/nonexistent"))
    blob = runtime.image_layers(lab.image("busybox")).blobs[0]

    with blob.open() as opened:
        content = opened.read()

    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == blob.digest


@pytest.mark.e2e
def test_unknown_image_lists_the_namespaces_searched(runtime: Runtime) -> None:
    with pytest.raises(ImageNotFound, match=r"has no image shop/none:1 in any of .*k8s\.io"):
        runtime.image_layers("shop/none:1")


def test_runtime_without_content_store_raises_image_error(crio: FakeCrio) -> None:
    with pytest.raises(ImageError, match="is not containerd"):
        image_layers("quay.io/shop/web:1", address=str(crio.socket))
