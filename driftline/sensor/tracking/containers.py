"""Containers of the node, and the mapping from cgroups to them.

A record carries the id of its cgroup. The path of a cgroup is known from its ``cgroup_mkdir`` record, which precedes
in the same ring, from the exec record itself where the kernel side does not know the cgroup as a container's, or from
/proc for cgroups older than the sensor. The path contains the container's id and the uid of its pod
(``cluster.parse_cgroup``). So even a container that lives some milliseconds has both without a call to the container
runtime; the runtime adds names later (``resolver``).

A container that ends before it has its name departs: it is no longer in the table, and stays known by its id until the
lookup of its name has ended, for the executions that wait for it.
"""

from __future__ import annotations

import itertools
import os
import time
from collections import OrderedDict
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

_PAST_KEPT = 4096
"""Removed cgroups whose containers are still known, as writers of files that outlive them."""


class TrackedContainer:
    """State of one container. Only the sensor's loop changes it."""

    def __init__(self, container_id: str, *, pod_uid: str = "") -> None:
        """Begin with what the cgroup's path says."""
        self.container = Container(id=container_id, pod_uid=pod_uid)
        self.is_named = False
        """Whether ``container`` is as complete as it will be: the runtime has answered, or failed to."""
        self.is_known = False
        """Whether the runtime has described it."""
        self.since = time.monotonic()
        """Time from which it is tracked, as ``time.monotonic`` gives it."""
        self.has_ended = False
        """Whether its last cgroup was removed."""
        self.cgroups: set[Cgroup] = set()
        """Cgroups that the runtime created for it, one in each hierarchy; not those created inside it."""
        self.pid = 0
        """Pid of its first process; its /proc/PID/root shows the files when another process has ended. 0: unknown."""
        self.first: ProcessKey | None = None
        """Key of the first process; ``None`` while it is not known for certain."""
        self.root_device = 0
        """``st_dev`` of its root file system; 0: unknown."""
        self.root: ContainerRoot | None = None
        """Its mounts; ``None`` while they are unknown."""
        self.index: Future[ImageIndex] = Future()
        """The index of its image; pending until the container has its name."""
        self.policy: ContainerPolicy
        """Its drift rules; set once ``is_named``."""
        self.blocking = Blocking()
        """The blocking part of its rules, compiled."""
        self.columns: Mapping[str, Any] = {}
        """Columns that all its events share (``RowBuilder.columns``)."""
        self.waiting: list[Callable[[], None]] = []
        """Work that waits for ``is_named``, in order."""
        self.verdicts: dict[tuple[int, bytes], Verdict] = {}
        """Verdict cache for unchanged image programs, by inode and path. An image file cannot change while the
        container lives: a write copies it up, to another inode."""
        self.image_files: set[tuple[int, int]] = set()
        """Device and inode of mapped files that are unchanged image files."""

    @property
    def id(self) -> str:
        """Id of the container at its runtime."""
        return self.container.id

    @property
    def image_name(self) -> str:
        """Name of its image for messages: the reference, with the digest where it is known."""
        image, digest = self.container.image, self.container.image_digest
        return f"{image.rpartition('@')[0] or image}@{digest}" if digest else image


class ContainerTable:
    """Containers of this node, by cgroup and by id."""

    def __init__(
        self, *, on_new: Callable[[str], None], on_gone: Callable[[str], None], on_cgroup: Callable[[Cgroup], None]
    ) -> None:
        """Begin empty.

        ``on_new`` is called with the id of each new container, ``on_gone`` with that of each removed one, and
        ``on_cgroup`` with each cgroup of a container.
        """
        self._on_new = on_new
        self._on_gone = on_gone
        self._on_cgroup = on_cgroup
        self._by_cgroup: dict[Cgroup, TrackedContainer | None] = {}
        self._by_id: dict[str, TrackedContainer] = {}
        self._departed: dict[str, list[TrackedContainer]] = {}
        self._unlearned: set[Cgroup] = set()
        self._past: OrderedDict[Cgroup, Container] = OrderedDict()
        self._namespaces = set(cluster.CTR_NAMESPACES)

    def add(self, cgroup: Cgroup, path: bytes) -> TrackedContainer | None:
        """Add a cgroup, by its path in its hierarchy.

        Returns the container that the cgroup belongs to; ``None`` if it is not a container's.
        """
        found = self.parse(path)
        self._unlearned.discard(cgroup)
        if found is None:
            self._by_cgroup[cgroup] = None
            return None
        tracked = self._by_id.get(found.id) or self._track(found.id, found.pod_uid)
        self._by_cgroup[cgroup] = tracked
        self._on_cgroup(cgroup)
        # The last component of the runtime's own cgroup contains the id; cgroups created inside lie below it.
        if found.id in os.fsdecode(os.path.basename(path)):
            tracked.cgroups.add(cgroup)
        return tracked

    def parse(self, path: bytes) -> cluster.CgroupContainer | None:
        """Return what the path of a cgroup says of its container; ``None`` for a cgroup of the node.

        A name that a user gave is an id in any namespace of containerd. A namespace is known from the first of its
        containers that the node has.
        """
        text = os.fsdecode(path)
        found = cluster.parse_cgroup(text, namespaces=self._namespaces)
        names = text.split("/")[1:3]
        if found or len(names) < 2 or names[0] in self._namespaces or not cluster.has_bundle(names[0], names[1]):
            return found
        self._namespaces.add(names[0])
        return cluster.parse_cgroup(text, namespaces=self._namespaces)

    def _track(self, container_id: str, pod_uid: str) -> TrackedContainer:
        tracked = self._by_id[container_id] = TrackedContainer(container_id, pod_uid=pod_uid)
        self._on_new(container_id)
        return tracked

    def removed(self, cgroup: Cgroup) -> TrackedContainer | None:
        """Remove a cgroup, and its container with the last one.

        Returns the removed container; ``None`` if it has other cgroups or the cgroup is not a container's. A container
        without a name departs.
        """
        self._unlearned.discard(cgroup)
        tracked = self._by_cgroup.pop(cgroup, None)
        if tracked:
            tracked.cgroups.discard(cgroup)
            self._remember(cgroup, tracked.container)
        # A container has one cgroup in each hierarchy, and those that it created itself.
        if tracked is None or tracked in self._by_cgroup.values():
            return None
        tracked.has_ended = True
        self._on_gone(tracked.id)
        if not tracked.is_named:
            self._departed.setdefault(tracked.id, []).append(tracked)
        return self._by_id.pop(tracked.id, None)

    def _remember(self, cgroup: Cgroup, container: Container) -> None:
        self._past[cgroup] = container
        if len(self._past) > _PAST_KEPT:
            self._past.popitem(last=False)

    def past_or_present(self, cgroup: Cgroup) -> Container | None:
        """Return the container of a cgroup that exists or was removed lately; ``None`` if it is not a container's."""
        tracked = self._by_cgroup.get(cgroup)
        return tracked.container if tracked else self._past.get(cgroup)

    def is_of_node(self, cgroup: Cgroup) -> bool:
        """Return whether a cgroup is known and no container's."""
        is_known = cgroup in self._by_cgroup and cgroup not in self._unlearned
        return is_known and self._by_cgroup[cgroup] is None

    def of(self, head: Head, path: bytes = b"") -> TrackedContainer | None:
        """Return the container of a record's task; ``None`` for processes of the node.

        ``path`` is the path of the cgroup, if the record has it.
        """
        if head.cgroup not in self._by_cgroup or (path and head.cgroup in self._unlearned):
            self._learn(head, path)
        return self._by_cgroup.get(head.cgroup)

    def by_cgroup(self, cgroup: Cgroup) -> TrackedContainer | None:
        """Return the container of a cgroup; ``None`` for cgroups of the node and unknown ones."""
        return self._by_cgroup.get(cgroup)

    # A cgroup whose cgroup_mkdir was not recorded: the record may have its path, and /proc has it if the process still
    # runs. Otherwise the cgroup counts as the node's until a record has its path, so that /proc is read only once.
    def _learn(self, head: Head, path: bytes) -> None:
        if path:
            self.add(head.cgroup, path)
            return
        for cgroup, found in cgroups_of(head.tgid):
            self.add(cgroup, found)
        if head.cgroup not in self._by_cgroup:
            self._by_cgroup[head.cgroup] = None
            self._unlearned.add(head.cgroup)

    def get(self, container_id: str) -> TrackedContainer | None:
        """Return the container with this id; ``None`` if it is unknown."""
        return self._by_id.get(container_id)

    def found(self, container_id: str) -> list[TrackedContainer]:
        """Return the containers with this id, and forget those that have departed: the lookup of their name has ended.

        A name that a user gave (``ctr``) may be that of a container and of a departed one before it.
        """
        departed = self._departed.pop(container_id, [])
        running = self._by_id.get(container_id)
        return [*departed, running] if running else departed

    def waiting(self) -> list[TrackedContainer]:
        """Return the containers whose lookup has not ended, departed ones included."""
        departed = itertools.chain.from_iterable(self._departed.values())
        return [tracked for tracked in (*self, *departed) if not tracked.is_named]

    def __iter__(self) -> Iterator[TrackedContainer]:
        return iter(tuple(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)


def cgroups_of(pid: int) -> list[tuple[Cgroup, bytes]]:
    """Return the cgroups of a process with their paths, one for each hierarchy; empty if the process has ended.

    Read from /proc/PID/cgroup (cgroups(7)). On 64-bit kernels the id of a cgroup is the inode number of its
    directory (include/linux/kernfs.h, ``kernfs_id_ino``).
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


# cgroup v1 hierarchies are mounted at the names of their controllers; v2 at /sys/fs/cgroup, or at unified/ beside v1
# (systemd, "hybrid").
def _mount_point(controllers: bytes) -> Path:
    base = Path("/sys/fs/cgroup")
    if not controllers:
        unified = base / "unified"
        return unified if unified.is_dir() else base
    name = os.fsdecode(controllers).removeprefix("name=")
    return base / name
