"""``ContainerInventory``: which containers there are, and what each was started from."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import msgspec

__all__ = ["Container", "VolumeMount"]


class VolumeMount(msgspec.Struct, frozen=True, kw_only=True):
    """One mount that a container's specification asks for.

    ``kind`` is a ``VolumeKind`` value; ``source`` is the path on the node.
    """

    path: str
    source: str
    kind: str
    read_only: bool = False


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """Name one container and the image it was started from, as the runtime tells it.

    Empty strings mean that the runtime does not say. ``image`` is the reference the user
    gave, ``image_digest`` the manifest's (``sha256:…``) or, for imported images without one,
    the configuration's. ``workload`` is ``Kind/name`` of the pod's owner. ``pid`` is the first
    process on the node, 0 if it does not run. ``upperdir`` is the overlay's writable layer and
    ``lowerdirs`` the image's unpacked layers, topmost first, as paths on the node; both are
    empty for snapshotters that do not use overlayfs.
    """

    id: str
    name: str = ""
    namespace: str = ""
    pod: str = ""
    pod_uid: str = ""
    pod_labels: Mapping[str, str] = {}
    workload: str = ""
    image: str = ""
    image_digest: str = ""
    runtime: str = ""
    runtime_class: str = ""
    pid: int = 0
    started_at: datetime.datetime | None = None
    upperdir: str = ""
    lowerdirs: tuple[str, ...] = ()
    volumes: tuple[VolumeMount, ...] = ()
    sandbox: bool = False
    """Whether this is a pod's pause container."""
