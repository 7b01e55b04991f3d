"""Which executable mappings bring code into a process that its image did not."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from pathlib import Path

import msgspec

from driftline.sensor.perf import MappingRecord
from driftline.sensor.processes import Process, ProcessTable, read_process
from driftline.sensor.registry import Registry, Tracked, cgroups_of

__all__ = ["MappingFilter"]

_HOST_PIDS_KEPT = 4096
_HOST_PID_SECONDS = 1.0
_IMAGE_FILES_KEPT = 8192


class MappingFilter:
    """Drops what is not worth a verdict, cheapest question first.

    The perf records are the whole node's, and name neither a container nor an overlay's upper
    layer: both are worked out here.
    """

    def __init__(self, registry: Registry, processes: ProcessTable) -> None:
        self._registry = registry
        self._processes = processes
        # Process ids do not come round within a second, so neither does a host's answer.
        self._host_pids: OrderedDict[int, float] = OrderedDict()

    def owner(self, record: MappingRecord) -> tuple[Tracked, Process] | None:
        """Give the container and process of a mapping worth judging; ``None`` for all others."""
        if record.device == 0 or self._is_host_pid(record.pid):  # [vdso] and other mappings of no file
            return None
        process = self._processes.running(record.pid) or self._find(record.pid)
        tracked = self._registry.get(process.container_id) if process else None
        if process is None or tracked is None or _is_program(record, process):
            return None
        return None if self._is_image_file(record, tracked) else (tracked, process)

    # A process that was forked but never exec'd, or that ran before the sensor.
    def _find(self, pid: int) -> Process | None:
        process = read_process(pid)
        tracked = self._container_of(pid)
        if process is None or tracked is None:
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

    def _container_of(self, pid: int) -> Tracked | None:
        for cgroup, _ in cgroups_of(pid):
            tracked = self._registry.by_cgroup(cgroup)
            if tracked:
                return tracked
        return None

    # An image file never changes its inode's bytes: writing to it copies it up. So one proof
    # holds for as long as the container lives.
    def _is_image_file(self, record: MappingRecord, tracked: Tracked) -> bool:
        key = (record.device, record.inode)
        if key in tracked.image_files:
            return True
        if not _in_lower_layer(record, tracked):
            return False
        if len(tracked.image_files) < _IMAGE_FILES_KEPT:
            tracked.image_files.add(key)
        return True


# Older kernels give the device below the overlay, so the path serves as well.
def _is_program(record: MappingRecord, process: Process) -> bool:
    return record.inode == process.inode and (record.device == process.device or record.path == process.program)


def _in_lower_layer(record: MappingRecord, tracked: Tracked) -> bool:
    container = tracked.container
    if not container.upperdir or _inode(container.upperdir, record.path) is not None:
        return False
    for lowerdir in container.lowerdirs:
        found = _inode(lowerdir, record.path)
        if found is not None:
            return found == record.inode
    return False


def _inode(layer: str, path: bytes) -> int | None:
    try:
        return (Path(layer) / os.fsdecode(path).lstrip("/")).lstat().st_ino
    except (OSError, ValueError):
        return None
