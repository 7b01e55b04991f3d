"""Which container a record belongs to.

A record carries its cgroup; the path of every cgroup is known from its ``cgroup_mkdir``, which
lies before it in the same ring, or from a look at /proc at the start. So the container's id is
known without asking anybody, however short it lives; the runtime then adds its names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from driftline import cluster
from driftline.events import Container, Verdict
from driftline.image import ImageIndex
from driftline.policy import Blocking, ContainerPolicy
from driftline.sensor.bpf.records import Cgroup, Head, ProcessKey
from driftline.verdict import ContainerRoot

__all__ = ["ContainerTable", "TrackedContainer", "cgroups_of"]


class TrackedContainer:
    """One container, as far as it is known by now. The loop's thread alone changes it."""

    def __init__(self, container_id: str) -> None:
        self.container = Container(id=container_id)
        self.is_named = False
        """Whether the runtime has told (or will never tell) what ``container`` lacks."""
        self.cgroups: set[Cgroup] = set()
        """Those the runtime made for it, one in each hierarchy; not what is made inside it."""
        self.pid = 0
        """Its first process, whose root shows its files when the process in question is gone."""
        self.first: ProcessKey | None = None
        """That process, known for sure."""
        self.root_device = 0
        self.root: ContainerRoot | None = None
        self.index: Future[ImageIndex] = Future()
        self.policy: ContainerPolicy
        """Its drift rules; there once it is named."""
        self.blocking = Blocking()
        """What of its rules blocks."""
        self.columns: Mapping[str, Any] = {}
        """The columns of its events that stay the same."""
        self.waiting: list[Callable[[], None]] = []
        """What to go on with when it has its name."""
        self.verdicts: dict[tuple[int, bytes], Verdict] = {}
        """Of untouched image programs by inode and path: they stay what they are."""
        self.image_files: set[tuple[int, int]] = set()
        """Device and inode of mapped files that were proven to be the image's own."""

    @property
    def id(self) -> str:
        return self.container.id

    @property
    def image_name(self) -> str:
        """What to call its image in words."""
        image, digest = self.container.image, self.container.image_digest
        return f"{image.rpartition('@')[0] or image}@{digest}" if digest else image


class ContainerTable:
    """The containers of this node, by cgroup."""

    def __init__(self, *, on_new: Callable[[str], None], on_cgroup: Callable[[Cgroup], None]) -> None:
        """Have ``on_new`` called with each new container's id, ``on_cgroup`` with each of its cgroups."""
        self._on_new = on_new
        self._on_cgroup = on_cgroup
        self._by_cgroup: dict[Cgroup, TrackedContainer | None] = {}
        self._by_id: dict[str, TrackedContainer] = {}

    def add(self, cgroup: Cgroup, path: bytes) -> TrackedContainer | None:
        """Take in a cgroup and its path in its hierarchy; gives its container."""
        found = cluster.parse_cgroup(os.fsdecode(path))
        if found is None:
            self._by_cgroup[cgroup] = None
            return None
        tracked = self._by_id.get(found.id) or self._track(found.id)
        self._by_cgroup[cgroup] = tracked
        self._on_cgroup(cgroup)
        if found.id in os.fsdecode(os.path.basename(path)):
            tracked.cgroups.add(cgroup)
        return tracked

    def _track(self, container_id: str) -> TrackedContainer:
        tracked = self._by_id[container_id] = TrackedContainer(container_id)
        self._on_new(container_id)
        return tracked

    def removed(self, cgroup: Cgroup) -> TrackedContainer | None:
        """Forget a cgroup, and with the last one its container, which is given back."""
        tracked = self._by_cgroup.pop(cgroup, None)
        if tracked:
            tracked.cgroups.discard(cgroup)
        if tracked is None or tracked in self._by_cgroup.values():
            return None
        return self._by_id.pop(tracked.id, None)

    def of(self, head: Head) -> TrackedContainer | None:
        """Give the container of a record; ``None`` for the node's own processes."""
        if head.cgroup not in self._by_cgroup:
            self._learn(head)
        return self._by_cgroup.get(head.cgroup)

    def by_cgroup(self, cgroup: Cgroup) -> TrackedContainer | None:
        """Give the container of a cgroup."""
        return self._by_cgroup.get(cgroup)

    # A cgroup whose making was not seen: the process, if it still runs, tells.
    def _learn(self, head: Head) -> None:
        for cgroup, path in cgroups_of(head.tgid):
            self.add(cgroup, path)
        self._by_cgroup.setdefault(head.cgroup, None)

    def get(self, container_id: str) -> TrackedContainer | None:
        """Give the container of this id."""
        return self._by_id.get(container_id)

    def __iter__(self) -> Iterator[TrackedContainer]:
        return iter(tuple(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)


def cgroups_of(pid: int) -> list[tuple[Cgroup, bytes]]:
    """List the cgroups of a process, as id and path; empty if the process is gone.

    On 64-bit kernels a cgroup's id is the inode number of its folder (kernfs_node.h).
    """
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        hierarchy, controllers, path = line.split(b":", 2)
        mount = _mount_point(controllers)
        try:
            inode = (mount / os.fsdecode(path).lstrip("/")).stat().st_ino
        except OSError:
            continue
        found.append((Cgroup(inode, int(hierarchy)), path))
    return found


def _mount_point(controllers: bytes) -> Path:
    base = Path("/sys/fs/cgroup")
    if not controllers:
        unified = base / "unified"
        return unified if unified.is_dir() else base
    name = os.fsdecode(controllers).removeprefix("name=")
    return base / name
