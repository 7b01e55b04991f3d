"""Containers and their mounts, as known from the container runtime."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import msgspec

__all__ = ["Container", "VolumeMount"]


class VolumeMount(msgspec.Struct, frozen=True, kw_only=True):
    """A mount in a container's specification."""

    path: str
    """Mount point in the container."""
    source: str
    """Path on the node."""
    kind: str
    """Kind of the volume, a value of ``VolumeKind``."""
    read_only: bool = False
    """Whether the container may only read."""


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """A container and its image, as reported by the container runtime.

    An empty text means that the runtime does not report the property. ``image`` is the reference as the
    user gave it. ``image_names`` are all references, ``image`` first, under which the runtime keeps the
    image, if it does not report which of them the user gave; empty otherwise. ``image_digest`` is the
    digest of the manifest (``sha256:…``) or, for imported images without one, of the configuration.
    ``namespace_labels`` are those of the Kubernetes namespace; ``None`` unless the cluster gives them, as
    the runtime does not know them. ``workload`` is the owner of the pod as ``Kind/name``. ``pid`` is the
    first process on the node, 0 if the container is not running. ``started_at`` is aware, UTC; ``None`` if
    unknown. ``upperdir`` is the overlay's writable layer and ``lowerdirs`` are the image's unpacked
    layers, topmost first, as paths on the node; both are empty for snapshotters that do not use overlayfs.
    """

    id: str
    name: str = ""
    namespace: str = ""
    pod: str = ""
    pod_uid: str = ""
    pod_labels: Mapping[str, str] = {}
    namespace_labels: Mapping[str, str] | None = None
    workload: str = ""
    image: str = ""
    image_names: tuple[str, ...] = ()
    image_digest: str = ""
    runtime: str = ""
    runtime_class: str = ""
    pid: int = 0
    started_at: datetime.datetime | None = None
    upperdir: str = ""
    lowerdirs: tuple[str, ...] = ()
    volumes: tuple[VolumeMount, ...] = ()
    sandbox: bool = False
    """Whether the container is the sandbox (pause) container of a pod."""
