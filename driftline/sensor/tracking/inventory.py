"""Inventory of containers, processes and interpreters that run when the sensor starts.

The BPF programs are attached before the inventory, so that nothing which starts meanwhile is missed; a process that
is both recorded and found in /proc has the same key.
"""

from __future__ import annotations

import logging

import msgspec

from driftline import cluster
from driftline.errors import RuntimeUnavailable, Unreadable
from driftline.events import Container
from driftline.sensor.bpf.kernel import KernelSide
from driftline.sensor.bpf.records import ProcessKey
from driftline.sensor.tracking import mounts
from driftline.sensor.tracking.containers import ContainerTable, TrackedContainer, cgroups_of
from driftline.sensor.tracking.processes import Process, ProcessTable, read_process, running_pids
from driftline.verdict import interpreter_of

__all__ = ["Inventory", "take_inventory"]

_log = logging.getLogger(__name__)


class Inventory(msgspec.Struct, frozen=True):
    """Processes and containers that run when the sensor starts."""

    containers: list[Container]
    """Containers that the runtime lists; empty if it does not answer."""
    processes: list[Process]
    """Processes of containers, as in the table."""


def take_inventory(
    containers: ContainerTable, processes: ProcessTable, kernel: KernelSide, runtime: cluster.Runtime
) -> Inventory:
    """Add the running containers and their processes to the tables, from /proc and the container runtime.

    The kernel side gets the roots, first processes and interpreters of containers that ran before it. A runtime that
    does not answer is a warning in the log.
    """
    named, found = _running_containers(runtime), []
    first_pids = {container.id: container.pid for container in named}
    for pid in running_pids():
        tracked = _track(pid, containers)
        process = read_process(pid)
        if tracked is None or process is None:
            continue
        found.append(msgspec.structs.replace(process, container_id=tracked.id))
        processes.add(found[-1])
        interpreter = interpreter_of(process.program)
        if interpreter:
            kernel.add_interpreter(process.inode, process.device, interpreter.kinds)
        # The runtime's first process knows the mounts as they were made; any other is the fallback.
        if tracked.root is None:
            first = read_process(first_pids.get(tracked.id, 0))
            tracked.first = first.key if first else None
            _learn_root(tracked, first.key.pid if first else pid, kernel)
    return Inventory(named, found)


def _running_containers(runtime: cluster.Runtime) -> list[Container]:
    try:
        return runtime.containers()
    except RuntimeUnavailable as error:
        _log.warning("containers have no names until the runtime answers: %s", error)
        return []


def _track(pid: int, containers: ContainerTable) -> TrackedContainer | None:
    found = [containers.add(cgroup, path) for cgroup, path in cgroups_of(pid)]
    return next((tracked for tracked in found if tracked), None)


# The kernel side needs root and first process to tell image files from others, and to exempt the first process.
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
