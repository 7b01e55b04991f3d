"""Containers from CRI (the Kubernetes Container Runtime Interface), alike for containerd and CRI-O.

CRI lacks two facts, which containerd's own API adds if present: the manifest digest of images
that were imported instead of pulled, and the directories of the snapshot. With other runtimes the
directories come from the mount table of the container's first process.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import msgspec
from cri_api.v1 import api_pb2

from driftline.cluster._channel import Channel, Unsupported
from driftline.cluster._containerd import Containerd
from driftline.cluster._overlay import OverlayDirs, read_overlay
from driftline.cluster._volumes import volume_kind
from driftline.cluster._workload import derive_workload
from driftline.errors import ContainerNotFound
from driftline.events import Container, VolumeMount

__all__ = ["Cri"]

NAMESPACE = "k8s.io"
"""containerd namespace of everything that its CRI plugin creates (containerd pkg/cri/constants)."""
MAX_CACHED = 1024  # sandboxes and image digests remembered: several times what one node runs


class Info(msgspec.Struct, frozen=True, rename="camel"):
    """Members of the free-form ``info`` of a verbose status that containerd and CRI-O both fill."""

    pid: int = 0
    """Pid of the first process in the node's pid namespace; 0 if unknown."""
    sandbox_id: str = msgspec.field(default="", name="sandboxID")
    snapshotter: str = ""
    snapshot_key: str = ""


class Sandbox(msgspec.Struct, frozen=True):
    """Facts of a pod's sandbox that all its containers share."""

    id: str
    name: str
    namespace: str
    uid: str
    labels: dict[str, str]
    """Labels of the pod, without those that kubelet adds."""
    runtime_class: str
    """Name of the runtime handler, such as ``runc`` or ``kata``; empty for the default."""


class Cri:
    """CRI of one runtime.

    Facts that cannot change (a pod's sandbox, the digest of an image id, the name of the runtime) are
    cached. Methods raise ``RuntimeUnavailable`` if the runtime does not answer.
    """

    def __init__(self, channel: Channel, containerd: Containerd) -> None:
        self._channel = channel
        self._containerd = containerd
        self._sandbox = functools.lru_cache(MAX_CACHED)(self._read_sandbox)
        self._digest = functools.lru_cache(MAX_CACHED)(self._find_digest)
        self._runtime_name = functools.lru_cache(1)(self._read_runtime_name)

    def containers(self, known: Collection[str] = ()) -> Iterator[Container]:
        """Yield the running containers and ready sandboxes, except those whose id is in ``known``.

        A container that ends during the listing is left out.
        """
        ready = api_pb2.PodSandboxFilter(state=api_pb2.PodSandboxStateValue(state=api_pb2.SANDBOX_READY))
        running = api_pb2.ContainerFilter(state=api_pb2.ContainerStateValue(state=api_pb2.CONTAINER_RUNNING))
        sandboxes = self._channel.cri("RuntimeService", "ListPodSandbox", filter=ready).items
        containers = self._channel.cri("RuntimeService", "ListContainers", filter=running).containers
        yield from _skip_removed(self._sandbox_container, (item.id for item in sandboxes if item.id not in known))
        yield from _skip_removed(self._container, (item.id for item in containers if item.id not in known))

    def known(self, ids: Collection[str]) -> set[str]:
        """Return those of ``ids`` that are containers or sandboxes, running or not."""
        sandboxes = self._channel.cri("RuntimeService", "ListPodSandbox").items
        containers = self._channel.cri("RuntimeService", "ListContainers").containers
        return {item.id for item in (*sandboxes, *containers)} & set(ids)

    def container(self, container_id: str) -> Container:
        """Return one container or sandbox, running or not; raise ``ContainerNotFound`` if CRI has neither."""
        try:
            return self._container(container_id)
        except ContainerNotFound:
            return self._sandbox_container(container_id)

    def _container(self, container_id: str) -> Container:
        answer = self._channel.cri("RuntimeService", "ContainerStatus", container_id=container_id, verbose=True)
        status, info = answer.status, _info(answer)
        pod = self._sandbox(info.sandbox_id)
        pid = info.pid if status.state == api_pb2.CONTAINER_RUNNING else 0
        dirs = self._dirs(info, pid)
        names = self._image_names(status)
        return Container(
            id=status.id,
            name=status.metadata.name,
            namespace=pod.namespace,
            pod=pod.name,
            pod_uid=pod.uid,
            pod_labels=pod.labels,
            workload=derive_workload(pod.name, pod.labels),
            image=names[0],
            image_names=names if len(names) > 1 else (),
            image_digest=self._digest(status.image.image, status.image_ref),
            runtime=self._runtime_name(),
            runtime_class=pod.runtime_class,
            pid=pid,
            started_at=_time(status.started_at),
            upperdir=dirs.upperdir,
            lowerdirs=dirs.lowerdirs,
            volumes=tuple(_volume(mount) for mount in status.mounts),
        )

    def _sandbox_container(self, sandbox_id: str) -> Container:
        answer = self._channel.cri("RuntimeService", "PodSandboxStatus", pod_sandbox_id=sandbox_id, verbose=True)
        pod, info = _sandbox(answer.status), _info(answer)
        pid = info.pid if answer.status.state == api_pb2.SANDBOX_READY else 0
        dirs = self._dirs(info, pid)
        return Container(
            id=pod.id,
            namespace=pod.namespace,
            pod=pod.name,
            pod_uid=pod.uid,
            pod_labels=pod.labels,
            workload=derive_workload(pod.name, pod.labels),
            runtime=self._runtime_name(),
            runtime_class=pod.runtime_class,
            pid=pid,
            started_at=_time(answer.status.created_at),
            upperdir=dirs.upperdir,
            lowerdirs=dirs.lowerdirs,
            sandbox=True,
        )

    def _read_sandbox(self, sandbox_id: str) -> Sandbox:
        return _sandbox(self._channel.cri("RuntimeService", "PodSandboxStatus", pod_sandbox_id=sandbox_id).status)

    def _read_runtime_name(self) -> str:
        return str(self._channel.cri("RuntimeService", "Version").runtime_name)

    def _dirs(self, info: Info, pid: int) -> OverlayDirs:
        if info.snapshot_key:
            try:
                return self._containerd.snapshot_dirs(NAMESPACE, info.snapshotter, info.snapshot_key)
            except (ContainerNotFound, Unsupported):
                pass  # the snapshot was just removed, or the runtime is not containerd: read the mount table
        return read_overlay(pid) if pid else OverlayDirs()

    # containerd before 2.0 and CRI-O do not keep the name that the user gave: they report the first of all names that
    # the image has by now. The first name returned here is the reported one.
    def _image_names(self, status: Any) -> tuple[str, ...]:
        given = status.image.user_specified_image
        if given:
            return (given,)
        reported = status.image.image
        try:
            spec = api_pb2.ImageSpec(image=status.image_ref)
            image = self._channel.cri("ImageService", "ImageStatus", image=spec).image
        except (ContainerNotFound, Unsupported):
            return (reported,)
        names = _names(image.repo_tags, image.repo_digests)
        # An image without a tag is reported by its id.
        first = () if names and _is_id(reported) else (reported,)
        return tuple(dict.fromkeys((*first, *names)))

    # image_ref is repository@digest for pulled images, else the digest of the image configuration.
    # containerd's CRI plugin keeps the image under that digest as well, and unlike a tag it never
    # moves to another image; so it is looked up before the tag.
    def _find_digest(self, image: str, image_ref: str) -> str:
        if "@" in image_ref:
            return image_ref.partition("@")[2]
        for name in (image_ref, image):
            try:
                return self._containerd.image_digest(NAMESPACE, name)
            except (ContainerNotFound, Unsupported):
                continue
        return self._repository_digest(image_ref) or image_ref

    def _repository_digest(self, image_ref: str) -> str:
        spec = api_pb2.ImageSpec(image=image_ref)
        digests = self._channel.cri("ImageService", "ImageStatus", image=spec).image.repo_digests
        return str(digests[0]).partition("@")[2] if digests else ""


# A reference by digest is a name of its own only if no tag has its repository: pulling by a tag makes both.
def _names(tags: Iterable[str], digests: Iterable[str]) -> list[str]:
    tagged = {tag.rpartition(":")[0] for tag in tags}
    return [*sorted(tags), *sorted(name for name in digests if name.partition("@")[0] not in tagged)]


def _is_id(name: str) -> bool:
    return name.startswith("sha256:") and "/" not in name


def _skip_removed(read: Any, ids: Iterable[str]) -> Iterator[Container]:
    for container_id in ids:
        try:
            yield read(container_id)
        except ContainerNotFound:
            continue


def _info(answer: Any) -> Info:
    return msgspec.json.decode(answer.info["info"] or "{}", type=Info, strict=False)


def _sandbox(status: Any) -> Sandbox:
    meta = status.metadata
    return Sandbox(status.id, meta.name, meta.namespace, meta.uid, _own_labels(status.labels), status.runtime_handler)


# kubelet adds the pod's name, namespace and uid to the labels (kubelet/kuberuntime/labels.go); they
# are not labels of the pod object.
def _own_labels(labels: Any) -> dict[str, str]:
    return {key: value for key, value in labels.items() if not key.startswith("io.kubernetes.pod.")}


def _volume(mount: Any) -> VolumeMount:
    kind = volume_kind(mount.host_path)
    return VolumeMount(path=mount.container_path, source=mount.host_path, kind=kind, read_only=mount.readonly)


# CRI times are nanoseconds since 1970 UTC, 0 if unset; datetime has microseconds.
def _time(nanoseconds: int) -> datetime.datetime | None:
    if nanoseconds <= 0:
        return None
    whole, rest = divmod(nanoseconds, 1_000_000_000)
    return datetime.datetime.fromtimestamp(whole, datetime.UTC) + datetime.timedelta(microseconds=rest // 1000)
