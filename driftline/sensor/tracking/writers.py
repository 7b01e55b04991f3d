"""Writers of executed files: their arguments, and the container that they ran in.

The kernel side knows a writer by process, cgroup and mount namespace. The container of a cgroup is known here, also
for some time after its end: an init container has ended when the file that it wrote to a volume runs.
"""

from __future__ import annotations

import msgspec

from driftline.events import Container
from driftline.sensor.bpf.kernel import KernelSide
from driftline.sensor.bpf.records import Cgroup
from driftline.sensor.tracking.containers import ContainerTable, TrackedContainer
from driftline.verdict import FileFacts, Writer, WriterPlace

__all__ = ["WriterResolver"]


class WriterResolver:
    """Completes the writer and the opener of a file with what user space knows of them."""

    def __init__(self, containers: ContainerTable, kernel: KernelSide) -> None:
        self._containers = containers
        self._kernel = kernel

    def resolve(self, file: FileFacts, tracked: TrackedContainer) -> FileFacts:
        """Return the facts of a file that a process of ``tracked`` uses, with arguments and place of its writers."""
        if file.writer is None and file.opener is None:
            return file
        return msgspec.structs.replace(
            file, writer=self._complete(file.writer, tracked), opener=self._complete(file.opener, tracked)
        )

    def _complete(self, writer: Writer | None, tracked: TrackedContainer) -> Writer | None:
        if writer is None:
            return None
        container = self._containers.past_or_present(Cgroup(*writer.cgroup))
        return msgspec.structs.replace(
            writer,
            argv=self._kernel.writer_args(writer),
            place=self._place(writer, container, tracked),
            container=container,
        )

    # A service of the node can have a mount namespace of its own; a cgroup that is neither a container's nor the
    # node's leaves the place unknown.
    def _place(self, writer: Writer, container: Container | None, tracked: TrackedContainer) -> WriterPlace:
        if container:
            return WriterPlace.CONTAINER if container.id == tracked.id else WriterPlace.OTHER_CONTAINER
        is_of_node = writer.mnt_ns == self._kernel.host_mnt_ns or self._containers.is_of_node(Cgroup(*writer.cgroup))
        return WriterPlace.NODE if is_of_node else WriterPlace.UNKNOWN
