"""Containers from containerd's own API, for containers that CRI does not list (``ctr``, nerdctl, Docker)."""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import secrets
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

__all__ = ["Containerd"]

LIVE_STATUSES = {2, 4, 5}  # RUNNING, PAUSED, PAUSING of containerd's types/task/task.proto
CONTAINERS = "containerd.services.containers.v1.Containers"
SNAPSHOTS = "containerd.services.snapshots.v1.Snapshots"
TASKS = "containerd.services.tasks.v1.Tasks"
# Labels that hold a container's name; the first present wins.
NAME_LABELS = ("io.kubernetes.container.name", "nerdctl/name")
# containerd's CRI plugin marks its containers "sandbox" or "container" (its package labels).
KIND_LABEL = "io.cri-containerd.kind"
# containerd pkg/identifiers/validate.go; at most 76 characters. Letters and digits need no quotes in a filter.
_ID = re.compile(r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*")


class SpecMount(msgspec.Struct, frozen=True):
    """One mount of an OCI runtime specification (runtime-spec, config.md, "Mounts")."""

    destination: str
    """Path inside the container."""
    source: str = ""
    """Path on the node for bind mounts."""
    options: list[str] = []
    """Mount options such as ``rbind`` and ``ro``."""


class Spec(msgspec.Struct, frozen=True):
    """OCI runtime specification, reduced to its mounts."""

    mounts: list[SpecMount] = []


class Containerd:
    """One containerd with all of its namespaces.

    Methods raise ``Unsupported`` if the runtime is not containerd, ``RuntimeUnavailable`` if it does
    not answer.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def namespaces(self) -> list[str]:
        """Return the names of all namespaces."""
        answer = self._channel.containerd("containerd.services.namespaces.v1.Namespaces/List")
        return [namespace.name for namespace in answer.namespaces]

    def containers(self, known: Collection[str] = ()) -> Iterator[Container]:
        """Yield the running containers of all namespaces, except those whose id is in ``known``.

        A container that ends during the listing is left out.
        """
        for namespace in self.namespaces():
            for task in self._channel.containerd(f"{TASKS}/List", namespace=namespace).tasks:
                # containerd 1.6 fills ``id`` with the container's id and leaves ``container_id`` empty.
                if task.status in LIVE_STATUSES and task.id not in known:
                    try:
                        yield self._container(namespace, task.id, task.pid)
                    except ContainerNotFound:
                        continue

    def container(self, container_id: str) -> Container:
        """Return one container of any namespace, running or not.

        Raises ``ContainerNotFound`` if no namespace has it.
        """
        for namespace in self.namespaces():
            try:
                return self._container(namespace, container_id, self._pid(namespace, container_id))
            except ContainerNotFound:
                continue
        raise ContainerNotFound(f"containerd at {self._channel.path} has no container {container_id}")

    def known(self, ids: Collection[str]) -> set[str]:
        """Return those of ``ids`` that are containers of any namespace, running or not."""
        found: set[str] = set()
        # Filters are alternatives (containerd pkg/filters). A text that is no valid id names no container.
        filters = [f"id=={container_id}" for container_id in ids if _ID.fullmatch(container_id)]
        for namespace in self.namespaces() if filters else ():
            answer = self._channel.containerd(f"{CONTAINERS}/List", namespace=namespace, filters=filters)
            found |= {container.id for container in answer.containers}
        return found

    def image_digest(self, namespace: str, name: str) -> str:
        """Return the digest of an image's manifest or index.

        ``name`` is the full reference under which containerd keeps the image. Raises
        ``ContainerNotFound`` if the namespace has no such image.
        """
        answer = self._channel.containerd("containerd.services.images.v1.Images/Get", namespace=namespace, name=name)
        return str(answer.image.target.digest)

    def snapshot_dirs(self, namespace: str, snapshotter: str, key: str) -> OverlayDirs:
        """Return the overlay directories of a container's snapshot.

        The native snapshotter has no layers: it gives a container a copy of the image's whole tree, which is then the
        only lower directory. Empty if the snapshotter uses neither. Raises ``ContainerNotFound`` if the snapshot does
        not exist.
        """
        where = {"namespace": namespace, "snapshotter": snapshotter}
        mounts = self._channel.containerd(f"{SNAPSHOTS}/Mounts", **where, key=key).mounts
        if len(mounts) != 1 or mounts[0].type != "bind" or "ro" in mounts[0].options:
            return mount_dirs(mounts)
        parent = str(self._channel.containerd(f"{SNAPSHOTS}/Stat", **where, key=key).info.parent)
        return self.image_dirs(parent, **where) if parent else OverlayDirs()

    def image_dirs(self, chain: str, *, namespace: str, snapshotter: str) -> OverlayDirs:
        """Return the unpacked layers of an image, by the name of its committed snapshot.

        Raises ``ContainerNotFound`` if the image is not unpacked.
        """
        # containerd returns mounts only of active snapshots and views, so a view is created and removed at once. If
        # this process dies before the removal, containerd's garbage collector removes the view, because nothing refers
        # to it.
        key = f"driftline-look-{secrets.token_hex(8)}"
        where = {"namespace": namespace, "snapshotter": snapshotter, "key": key}
        view = self._channel.containerd(f"{SNAPSHOTS}/View", **where, parent=chain)
        with contextlib.suppress(ContainerNotFound):  # the garbage collector has removed it already
            self._channel.containerd(f"{SNAPSHOTS}/Remove", **where)
        return mount_dirs(view.mounts)

    def _pid(self, namespace: str, container_id: str) -> int:
        try:
            process = self._channel.containerd(f"{TASKS}/Get", namespace=namespace, container_id=container_id).process
        except ContainerNotFound:
            return 0
        return int(process.pid) if process.status in LIVE_STATUSES else 0

    def _container(self, namespace: str, container_id: str, pid: int) -> Container:
        found = self._channel.containerd(f"{CONTAINERS}/Get", namespace=namespace, id=container_id).container
        labels = {pair.key: pair.value for pair in found.labels}
        dirs = self._dirs(namespace, found, pid)
        return Container(
            id=found.id,
            name=next((labels[name] for name in NAME_LABELS if name in labels), ""),
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
            sandbox=labels.get(KIND_LABEL) == "sandbox",
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
    """Return the overlay directories of a snapshot's mounts (containerd ``types.Mount`` messages).

    A read-only view of a single layer is a bind mount of that layer. Other mounts give empty
    directories.
    """
    if len(mounts) != 1:
        return OverlayDirs()
    if mounts[0].type == "overlay":
        return parse_options(mounts[0].options)
    return OverlayDirs(lowerdirs=(mounts[0].source,)) if "ro" in mounts[0].options else OverlayDirs()


# Volumes are the bind mounts; the others are proc, sysfs, tmpfs and the like.
def _volumes(spec: bytes) -> tuple[VolumeMount, ...]:
    mounts = msgspec.json.decode(spec or b"{}", type=Spec).mounts
    return tuple(_volume(mount) for mount in mounts if {"bind", "rbind"} & set(mount.options))


def _volume(mount: SpecMount) -> VolumeMount:
    kind = volume_kind(mount.source)
    return VolumeMount(path=mount.destination, source=mount.source, kind=kind, read_only="ro" in mount.options)


# The task API has no start time. The start of the first process is field 22 of /proc/PID/stat, in
# clock ticks since boot (proc_pid_stat(5)); comm may contain spaces, so fields count from its ")".
def _started_at(pid: int) -> datetime.datetime | None:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    since_boot = int(after_name[19]) / os.sysconf("SC_CLK_TCK")
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return datetime.datetime.fromtimestamp(booted + since_boot, datetime.UTC)
