"""Lookup of containers at the container runtime, in threads beside the sensor's loop."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor

from driftline import cluster
from driftline.errors import ContainerNotFound, RuntimeUnavailable
from driftline.events import Container
from driftline.sensor.wakeup_queue import WakeupQueue

__all__ = ["Resolver"]

# Seconds before each try. The runtime creates the cgroup before its CRI answers for the container.
_PAUSES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
_log = logging.getLogger(__name__)


class Resolver:
    """Looks containers up and puts them into a queue.

    A container that the runtime does not know, or a lookup while the runtime is away, gives a container with its id
    alone, so that its events are not held back.
    """

    def __init__(self, runtime: cluster.Runtime, results: WakeupQueue[Container]) -> None:
        """Take the client of the runtime, and the queue for the containers."""
        self._runtime = runtime
        self._results = results
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="resolver")

    def request(self, container_id: str) -> None:
        """Request the lookup of a container; the result comes through the queue."""
        self._threads.submit(self._resolve, container_id)

    def _resolve(self, container_id: str) -> None:
        for pause in _PAUSES:
            time.sleep(pause)
            try:
                container = self._runtime.container(container_id)
            except ContainerNotFound:  # not yet; the next try may find it
                continue
            except RuntimeUnavailable as error:
                _log.warning("container %s has no name: %s", container_id, error)
                break
            self._results.put(container)
            return
        self._results.put(Container(id=container_id))

    def close(self) -> None:
        """Cancel lookups that have not begun; does not wait for the others."""
        self._threads.shutdown(wait=False, cancel_futures=True)
