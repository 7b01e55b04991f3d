"""CRI of a real containerd, and of a runtime with CRI only."""

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest
from cri_api.v1 import api_pb2

import lab as labs
from driftline.cluster import Runtime
from driftline.events import Container, VolumeKind, VolumeMount
from tests.fakes import crio as fake
from tests.fakes.crio import FakeCrio


@pytest.mark.e2e
def test_container_of_a_pod_has_every_field(runtime: Runtime, new_pod: Callable[..., labs.Pod]) -> None:
    pod = new_pod("web-7d4b9c5f6d-x2x9q", labels={"app": "web", "pod-template-hash": "7d4b9c5f6d"})
    made = pod.container("busybox", name="shop", mounts=(labs.HostMount("/srv", "/data", read_only=True),))

    found = runtime.container(made.id)

    assert (found.id, found.name, found.namespace, found.pod) == (made.id, "shop", "shop", "web-7d4b9c5f6d-x2x9q")
    assert (found.pod_uid, found.workload, found.pid) == (pod.uid, "Deployment/web", made.pid)
    assert found.pod_labels == {"app": "web", "pod-template-hash": "7d4b9c5f6d"}
    assert (found.image, found.runtime, found.sandbox) == ("localhost/lab/busybox:1", "containerd", False)
    assert found.volumes == (VolumeMount(path="/data", source="/srv", kind=VolumeKind.HOST_PATH, read_only=True),)


@pytest.mark.e2e
def test_imported_image_has_its_manifest_digest(lab: labs.Lab, runtime: Runtime, pod: labs.Pod) -> None:
    listed = lab.runtime.ctr("images", "list").check().stdout.decode().splitlines()
    digest = next(line.split()[2] for line in listed if line.startswith("localhost/lab/busybox:1 "))

    assert runtime.container(pod.container("busybox").id).image_digest == digest


@pytest.mark.e2e
def test_digest_is_kept_when_the_tag_moves(lab: labs.Lab, runtime: Runtime, pod: labs.Pod) -> None:
    moving = "localhost/lab/moving:1"
    lab.runtime.ctr("images", "tag", "--force", lab.image("busybox"), moving).check()
    before = pod.container(moving)

    lab.runtime.ctr("images", "tag", "--force", lab.image("web"), moving).check()

    busybox, web = (runtime.image_layers(lab.image(name)).digest for name in ("busybox", "web"))
    after = pod.container(moving, name="after")
    assert [runtime.container(made.id).image_digest for made in (before, after)] == [busybox, web]


@pytest.mark.e2e
def test_an_image_with_one_name_has_a_certain_one(runtime: Runtime, pod: labs.Pod) -> None:
    assert runtime.container(pod.container("glibc").id).image_names == ()


@pytest.mark.e2e
def test_all_names_of_an_image_are_reported(
    runtime: Runtime, second_name: Callable[[str, str], str], pod: labs.Pod
) -> None:
    first, second = "localhost/lab/busybox:1", second_name("busybox", "localhost/aaa/mirror:2")
    for name in (first, second):
        found = runtime.container(pod.container(name, name="first" if name == first else "second").id)

        assert sorted(found.image_names) == sorted((first, second))
        assert found.image == found.image_names[0]


@pytest.mark.parametrize(
    ("tags", "digests", "expected"),
    [
        ((f"{fake.IMAGE}:1",), (f"{fake.IMAGE}@{fake.DIGEST}",), ()),
        ((f"{fake.IMAGE}:1", f"{fake.IMAGE}:2"), (), (f"{fake.IMAGE}:1", f"{fake.IMAGE}:2")),
        ((f"{fake.IMAGE}:1",), (f"mirror/web@{fake.DIGEST}",), (f"{fake.IMAGE}:1", f"mirror/web@{fake.DIGEST}")),
        ((), (), ()),
    ],
)
def test_a_digest_in_another_repository_is_another_name(
    tags: tuple[str, ...], digests: tuple[str, ...], expected: tuple[str, ...], tmp_path: Path
) -> None:
    image = api_pb2.Image(id="sha256:1", repo_tags=tags, repo_digests=digests)
    methods = fake.METHODS | {"ImageStatus": lambda _: api_pb2.ImageStatusResponse(image=image)}
    crio = FakeCrio(tmp_path / "crio.sock", methods=methods)
    try:
        assert Runtime(str(crio.socket)).container(fake.WEB).image_names == expected
    finally:
        crio.stop()


@pytest.mark.e2e
def test_snapshot_directories_are_those_of_the_container(runtime: Runtime, pod: labs.Pod) -> None:
    made = pod.container("layers40")
    made.sh("echo dropped > /tmp/dropped").check()

    found = runtime.container(made.id)

    assert (Path(found.upperdir) / "tmp/dropped").read_text() == "dropped\n"
    assert [len(found.lowerdirs), (Path(found.lowerdirs[0]) / "layers/40").read_text()] == [40, "40\n"]
    assert (Path(found.lowerdirs[-1]) / "bin/busybox").exists()


@pytest.mark.e2e
def test_volume_kinds_come_from_kubelet_directories(runtime: Runtime, pod: labs.Pod) -> None:
    volumes = {
        "emptyDir": labs.volumes.empty_dir(pod.uid, "cache"),
        "configMap": labs.volumes.config_map(pod.uid, "settings", {}),
        "secret": labs.volumes.secret(pod.uid, "token", {}),
        "projected": labs.volumes.projected(pod.uid, "access", {}),
        "PVC": labs.volumes.pvc(pod.uid, "disk"),
    }
    made = pod.container(mounts=tuple(labs.HostMount(path, f"/{kind}") for kind, path in volumes.items()))

    found = runtime.container(made.id).volumes

    assert {mount.path: mount.kind for mount in found} == {f"/{kind}": kind for kind in volumes}


@pytest.mark.e2e
def test_sandbox_is_a_container_too(runtime: Runtime, pod: labs.Pod) -> None:
    found = {container.id: container for container in runtime.containers()}[pod.id]

    assert (found.sandbox, found.pod, found.pod_uid, found.name) == (True, pod.name, pod.uid, "")
    assert Path(f"/proc/{found.pid}/root/pause").exists()


@pytest.mark.e2e
def test_container_that_ended_at_once_is_found(runtime: Runtime, pod: labs.Pod) -> None:
    made = pod.container("busybox", name="short", command=("/opt/lab/true",))
    made.wait()

    found = runtime.container(made.id)

    assert (found.name, found.pod, found.pid) == ("short", pod.name, 0)
    assert found.lowerdirs


def test_crio_container_needs_no_containerd(crio: FakeCrio) -> None:
    found = Runtime(str(crio.socket)).container(fake.WEB)

    assert found == Container(
        id=fake.WEB,
        name="web",
        namespace="shop",
        pod="web-0",
        pod_uid=fake.UID,
        pod_labels={"app": "web", "statefulset.kubernetes.io/pod-name": "web-0"},
        workload="StatefulSet/web",
        image=f"{fake.IMAGE}:1",
        image_digest=fake.DIGEST,
        runtime="cri-o",
        runtime_class="kata",
        started_at=datetime.datetime(2023, 11, 14, 22, 13, 20, 123456, datetime.UTC),
        volumes=(VolumeMount(path="/data", source="/srv/data", kind="hostPath", read_only=True),),
    )


def test_container_removed_during_the_listing_is_left_out(crio: FakeCrio) -> None:
    found = Runtime(str(crio.socket)).containers()

    assert [container.id for container in found] == [fake.POD, fake.WEB]
