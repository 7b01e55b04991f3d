"""Filter for executable mappings, and the facts of mapped files.

The perf records cover the whole node, and say neither the container nor whether overlayfs
has an upper file. ``MappingFilter`` drops the records of the node's own processes, of programs (their exec record is
enough) and of unchanged image files. For the rest, the kernel side remembers the facts that it gives for an exec;
where it has not seen mmap(2), ``facts_of_mapped`` finds them.
"""

from __future__ import annotations

import functools
import os
import stat
import time
from collections import OrderedDict
from pathlib import Path

import msgspec

from driftline.sensor.bpf.mmap_events import MappingRecord
from driftline.sensor.tracking.containers import ContainerTable, TrackedContainer, cgroups_of
from driftline.sensor.tracking.processes import Process, ProcessTable, read_process
from driftline.verdict import FileFacts, Mount
from driftline.verdict.facts import OVERLAYFS_MAGIC, TMPFS_MAGIC

__all__ = ["MappingFilter", "facts_of_mapped", "facts_of_unknown", "fs_path_of", "in_lower_layer"]

_MAGIC = {"overlay": OVERLAYFS_MAGIC, "tmpfs": TMPFS_MAGIC}

_HOST_PIDS_KEPT = 4096
_HOST_PID_SECONDS = 1.0
"""Seconds for which a pid is known to be a process of the node. A pid is not reused within a second."""
_IMAGE_FILES_KEPT = 8192
"""Unchanged image files remembered for each container."""


class MappingFilter:
    """Filter for mappings that need a verdict. It makes the cheapest checks first."""

    def __init__(self, containers: ContainerTable, processes: ProcessTable) -> None:
        """Take the tables of containers and processes; processes that are found in /proc are added."""
        self._containers = containers
        self._processes = processes
        # pid: monotonic time until which it counts as a process of the node
        self._host_pids: OrderedDict[int, float] = OrderedDict()

    def owner(self, record: MappingRecord) -> tuple[TrackedContainer, Process] | None:
        """Return container and process of a mapping that needs a verdict.

        ``None`` for processes of the node, for a process's own program and for unchanged image files.
        """
        if record.device == 0 or self._is_host_pid(record.pid):  # [vdso] and other mappings of no file
            return None
        process = self._processes.running(record.pid) or self._find(record.pid)
        tracked = self._containers.get(process.container_id) if process else None
        if process is None or tracked is None or _is_program(record, process):
            return None
        return None if self._is_image_file(record, tracked) else (tracked, process)

    # For a process without an exec record: it has only forked, or it ran before the sensor.
    def _find(self, pid: int) -> Process | None:
        process = read_process(pid)
        tracked = self._container_of(pid)
        if process is None or tracked is None or not _is_inside(process, tracked):
            self._remember_host_pid(pid)
            return None
        process = msgspec.structs.replace(process, container_id=tracked.id)
        self._processes.add(process)
        return process

    def _is_host_pid(self, pid: int) -> bool:
        return self._host_pids.get(pid, 0.0) > time.monotonic()

    def _remember_host_pid(self, pid: int) -> None:
        self._host_pids[pid] = time.monotonic() + _HOST_PID_SECONDS
        self._host_pids.move_to_end(pid)
        if len(self._host_pids) > _HOST_PIDS_KEPT:
            self._host_pids.popitem(last=False)

    def _container_of(self, pid: int) -> TrackedContainer | None:
        for cgroup, _ in cgroups_of(pid):
            tracked = self._containers.by_cgroup(cgroup)
            if tracked:
                return tracked
        return None

    # The bytes of an image file's inode never change: a write copies the file up, to another inode. So one check is
    # enough for as long as the container lives.
    def _is_image_file(self, record: MappingRecord, tracked: TrackedContainer) -> bool:
        key = (record.device, record.inode)
        if key in tracked.image_files:
            return True
        if not in_lower_layer(record, tracked):
            return False
        if len(tracked.image_files) < _IMAGE_FILES_KEPT:
            tracked.image_files.add(key)
        return True


# runc's own process is in the container's cgroup and mount namespace before it executes the container's program;
# until then its program file is on a file system of the node.
def _is_inside(process: Process, tracked: TrackedContainer) -> bool:
    mounts = tracked.root.mounts if tracked.root else ()
    return process.device == tracked.root_device or any(mount.device == process.device for mount in mounts)


# On overlayfs, older kernels give the device of the layer, so inode and path are compared as well.
def _is_program(record: MappingRecord, process: Process) -> bool:
    is_last = record.inode == process.inode and record.path == process.program
    return is_last or (record.device, record.inode) in process.programs


def facts_of_mapped(record: MappingRecord, found: os.stat_result, tracked: TrackedContainer) -> FileFacts:
    """Return the facts of a mapped file that the kernel side did not see mapped.

    ``found`` is the stat result of the file, opened by the caller. Its layers are looked up in the directories that
    the container runtime gave (``upperdir``, ``lowerdirs``); its writer is unknown.
    """
    is_on_root = found.st_dev == tracked.root_device
    upperdir, lowerdirs = _layers(tracked)
    lowers = sum(_inode(lowerdir, record.path) is not None for lowerdir in lowerdirs)
    mount = _mount_at(record.path, tracked)
    is_memory = found.st_nlink == 0 and found.st_dev == _memory_device()
    fs_type = "tmpfs" if is_memory else mount.fs_type if mount else ""
    return FileFacts(
        path=record.path,
        fs_path=fs_path_of(record, tracked),
        device=found.st_dev,
        inode=found.st_ino,
        size=found.st_size,
        mode=found.st_mode,
        ctime_ns=found.st_ctime_ns,
        nlink=found.st_nlink,
        magic=_MAGIC.get(fs_type, 0),
        fs_type=fs_type,
        upper=is_on_root and _inode(upperdir, record.path) is not None,
        lowers=lowers if is_on_root else 0,
    )


def facts_of_unknown(record: MappingRecord) -> FileFacts:
    """Return the facts of a mapped file of which the perf record is all that is known.

    It counts as no image file (``upper``). Memory without a file (memfd, shared /dev/zero) is recognized by its
    device, which no file system of a container has.
    """
    is_memory = record.device == _memory_device()
    return FileFacts(
        path=record.path,
        fs_path=record.path,
        device=record.device,
        inode=record.inode,
        size=-1,
        mode=stat.S_IFREG,
        ctime_ns=0,
        nlink=0 if is_memory else -1,
        magic=TMPFS_MAGIC if is_memory else 0,
        fs_type="tmpfs" if is_memory else "",
        upper=True,
    )


# Device of the kernel's own tmpfs mount, on which memfds and shared anonymous memory lie (shm_mnt in mm/shmem.c).
@functools.cache
def _memory_device() -> int:
    fd = os.memfd_create("", os.MFD_CLOEXEC)
    try:
        return os.fstat(fd).st_dev
    finally:
        os.close(fd)


def fs_path_of(record: MappingRecord, tracked: TrackedContainer) -> bytes:
    """Return the path of a mapped file within its file system."""
    if record.device == _memory_device():
        return record.path
    mount = _mount_at(record.path, tracked)
    if mount and record.device == tracked.root_device != mount.device:  # a later mount covers its path
        mount = _mount_at(b"/", tracked)
    return _below_mount(record.path, mount)


# The innermost mount that covers a path; of several at the same path max() keeps the first.
def _mount_at(path: bytes, tracked: TrackedContainer) -> Mount | None:
    mounts = tracked.root.mounts if tracked.root else ()
    covering = [m for m in mounts if path == m.path or path.startswith(m.path.rstrip(b"/") + b"/")]
    return max(covering, key=lambda mount: len(mount.path)) if covering else None


# The path within the file system: a bind mount shows a directory of it (mountinfo, "root").
def _below_mount(path: bytes, mount: Mount | None) -> bytes:
    if mount is None:
        return path
    return mount.root.rstrip(b"/") + b"/" + path[len(mount.path) :].lstrip(b"/")


# From the runtime, or from the mounts of the container's first process while the runtime does not answer.
def _layers(tracked: TrackedContainer) -> tuple[str, tuple[str, ...]]:
    if tracked.container.upperdir or tracked.root is None:
        return tracked.container.upperdir, tracked.container.lowerdirs
    return os.fsdecode(tracked.root.upperdir), tuple(map(os.fsdecode, tracked.root.lowerdirs))


def in_lower_layer(record: MappingRecord, tracked: TrackedContainer) -> bool:
    """Return whether a mapped file is the one that the image has at its path, not written since."""
    # The topmost lower layer that has the path is the one that overlayfs shows, if the upper layer does not have it.
    upperdir, lowerdirs = _layers(tracked)
    if not upperdir or _inode(upperdir, record.path) is not None:
        return False
    for lowerdir in lowerdirs:
        found = _inode(lowerdir, record.path)
        if found is not None:
            return found == record.inode
    return False


def _inode(layer: str, path: bytes) -> int | None:
    try:
        return (Path(layer) / os.fsdecode(path).lstrip("/")).lstat().st_ino
    except (OSError, ValueError):
        return None
