"""What runs already when the sensor starts: its containers, processes and interpreters."""

from __future__ import annotations

import logging

import msgspec

from driftline import cluster
from driftline.errors import RuntimeUnavailable, Unreadable
from driftline.events import Container
from driftline.sensor.bpf.kernel import KernelSide
from driftline.sensor.bpf.records import ProcessKey
from driftline.sensor.tracking import mounts, scripts
from driftline.sensor.tracking.containers import ContainerTable, TrackedContainer, cgroups_of
from driftline.sensor.tracking.processes import ProcessTable, read_process, running_pids

__all__ = ["take_inventory"]

_log = logging.getLogger(__name__)


def take_inventory(
    containers: ContainerTable, processes: ProcessTable, kernel: KernelSide, runtime: cluster.Runtime
) -> list[Container]:
    """Fill the tables from /proc and the runtime; gives the containers the runtime names."""
    named = _running_containers(runtime)
    first_pids = {container.id: container.pid for container in named}
    for pid in running_pids():
        tracked = _track(pid, containers)
        process = read_process(pid)
        if tracked is None or process is None:
            continue
        processes.add(msgspec.structs.replace(process, container_id=tracked.id))
        if scripts.is_interpreter(process.program):
            kernel.add_interpreter(process.inode, process.device)
        if tracked.root is None:
            first = read_process(first_pids.get(tracked.id, 0))
            tracked.first = first.key if first else None
            _learn_root(tracked, first.key.pid if first else pid, kernel)
    return named


def _running_containers(runtime: cluster.Runtime) -> list[Container]:
    try:
        return runtime.containers()
    except RuntimeUnavailable as error:
        _log.warning("containers go without names until the runtime answers: %s", error)
        return []


def _track(pid: int, containers: ContainerTable) -> TrackedContainer | None:
    found = [containers.add(cgroup, path) for cgroup, path in cgroups_of(pid)]
    return next((tracked for tracked in found if tracked), None)


def _learn_root(tracked: TrackedContainer, pid: int, kernel: KernelSide) -> None:
    try:
        tracked.root = mounts.container_root(pid)
    except Unreadable as error:
        _log.warning("the mounts of container %s could not be read: %s", tracked.id, error)
        return
    tracked.pid = pid
    tracked.root_device = tracked.root.device
    for cgroup, _ in cgroups_of(pid):
        kernel.set_root(cgroup, tracked.root_device, first=tracked.first or ProcessKey(0, 0))
