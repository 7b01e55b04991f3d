"""Containers as containerd's own API tells them: those CRI does not know (``ctr``, nerdctl, Docker)."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import msgspec

from driftline.cluster._channel import Channel
from driftline.cluster._overlay import OverlayDirs, parse_options, read_overlay
from driftline.cluster._volumes import volume_kind
from driftline.errors import ContainerNotFound
from driftline.events import Container, VolumeMount

__all__ = ["Containerd", "mount_dirs"]

LIVING = {2, 4, 5}  # RUNNING, PAUSED, PAUSING of containerd's types/task/task.proto
CONTAINERS = "containerd.services.containers.v1.Containers"
TASKS = "containerd.services.tasks.v1.Tasks"
NAMES = ("io.kubernetes.container.name", "nerdctl/name")
KIND = "io.cri-containerd.kind"


class SpecMount(msgspec.Struct, frozen=True):
    """One mount of an OCI runtime specification (config.md, "Mounts")."""

    destination: str
    source: str = ""
    options: list[str] = []


class Spec(msgspec.Struct, frozen=True):
    """An OCI runtime specification, as far as it is needed."""

    mounts: list[SpecMount] = []


class Containerd:
    """One containerd, all of its namespaces."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def namespaces(self) -> list[str]:
        """List the namespaces; raises ``Unsupported`` where the runtime is no containerd."""
        answer = self._channel.containerd("containerd.services.namespaces.v1.Namespaces/List")
        return [namespace.name for namespace in answer.namespaces]

    def containers(self, known: Collection[str] = ()) -> Iterator[Container]:
        """List the running containers but the known ones; what goes away meanwhile is left out."""
        for namespace in self.namespaces():
            for task in self._channel.containerd(f"{TASKS}/List", namespace=namespace).tasks:
                # Whose task it is stands in ``id``; ``container_id`` stays empty (containerd 1.6).
                if task.status in LIVING and task.id not in known:
                    try:
                        yield self._container(namespace, task.id, task.pid)
                    except ContainerNotFound:
                        continue

    def container(self, container_id: str) -> Container:
        """Name one container of any namespace, running or not; raises ``ContainerNotFound``."""
        for namespace in self.namespaces():
            try:
                return self._container(namespace, container_id, self._pid(namespace, container_id))
            except ContainerNotFound:
                continue
        raise ContainerNotFound(f"containerd at {self._channel.path} has no container {container_id}")

    def image_digest(self, namespace: str, name: str) -> str:
        """Give the digest of an image's manifest or index; raises ``ContainerNotFound``."""
        answer = self._channel.containerd("containerd.services.images.v1.Images/Get", namespace=namespace, name=name)
        return str(answer.image.target.digest)

    def snapshot_dirs(self, namespace: str, snapshotter: str, key: str) -> OverlayDirs:
        """Give the directories of a container's snapshot; raises ``ContainerNotFound``."""
        method = "containerd.services.snapshots.v1.Snapshots/Mounts"
        return mount_dirs(
            self._channel.containerd(method, namespace=namespace, snapshotter=snapshotter, key=key).mounts
        )

    def _pid(self, namespace: str, container_id: str) -> int:
        try:
            process = self._channel.containerd(f"{TASKS}/Get", namespace=namespace, container_id=container_id).process
        except ContainerNotFound:
            return 0
        return int(process.pid) if process.status in LIVING else 0

    def _container(self, namespace: str, container_id: str, pid: int) -> Container:
        found = self._channel.containerd(f"{CONTAINERS}/Get", namespace=namespace, id=container_id).container
        labels = {pair.key: pair.value for pair in found.labels}
        dirs = self._dirs(namespace, found, pid)
        return Container(
            id=found.id,
            name=next((labels[name] for name in NAMES if name in labels), ""),
            namespace=labels.get("io.kubernetes.pod.namespace", ""),
            pod=labels.get("io.kubernetes.pod.name", ""),
            pod_uid=labels.get("io.kubernetes.pod.uid", ""),
            image=found.image,
            image_digest=self._digest(namespace, found.image),
            runtime="containerd",
            pid=pid,
            started_at=_started_at(pid) if pid else None,
            upperdir=dirs.upperdir,
            lowerdirs=dirs.lowerdirs,
            volumes=_volumes(found.spec.value),
            sandbox=labels.get(KIND) == "sandbox",
        )

    def _digest(self, namespace: str, image: str) -> str:
        try:
            return self.image_digest(namespace, image) if image else ""
        except ContainerNotFound:
            return ""  # the image may be removed while its containers run

    def _dirs(self, namespace: str, found: Any, pid: int) -> OverlayDirs:
        try:
            if found.snapshot_key:
                return self.snapshot_dirs(namespace, found.snapshotter, found.snapshot_key)
        except ContainerNotFound:
            pass  # just removed
        return read_overlay(pid) if pid else OverlayDirs()


def mount_dirs(mounts: Any) -> OverlayDirs:
    """Take the directories from a snapshot's mounts; a view of a single layer is a bind mount of it."""
    if len(mounts) != 1:
        return OverlayDirs()
    if mounts[0].type == "overlay":
        return parse_options(mounts[0].options)
    return OverlayDirs(lowerdirs=(mounts[0].source,)) if "ro" in mounts[0].options else OverlayDirs()


def _volumes(spec: bytes) -> tuple[VolumeMount, ...]:
    mounts = msgspec.json.decode(spec or b"{}", type=Spec).mounts
    return tuple(_volume(mount) for mount in mounts if {"bind", "rbind"} & set(mount.options))


def _volume(mount: SpecMount) -> VolumeMount:
    kind = volume_kind(mount.source)
    return VolumeMount(path=mount.destination, source=mount.source, kind=kind, read_only="ro" in mount.options)


# A task tells no start time; its process does, in ticks since boot (proc_pid_stat(5), field 22).
def _started_at(pid: int) -> datetime.datetime | None:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    since_boot = int(after_name[19]) / os.sysconf("SC_CLK_TCK")
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return datetime.datetime.fromtimestamp(booted + since_boot, datetime.UTC)
