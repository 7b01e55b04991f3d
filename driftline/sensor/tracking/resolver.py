"""Asks the container runtime what a container is called, off the sensor's loop."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor

from driftline import cluster
from driftline.errors import ContainerNotFound, RuntimeUnavailable
from driftline.events import Container
from driftline.sensor.wakeup_queue import WakeupQueue

__all__ = ["Resolver"]

# The cgroup is made before the runtime has written down all about the container.
_PAUSES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
_log = logging.getLogger(__name__)


class Resolver:
    """Puts named containers into a queue; one it cannot name comes back with its id alone."""

    def __init__(self, runtime: cluster.Runtime, results: WakeupQueue[Container]) -> None:
        self._runtime = runtime
        self._results = results
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="resolver")

    def ask(self, container_id: str) -> None:
        """Have the container looked up; the answer comes by the results."""
        self._threads.submit(self._resolve, container_id)

    def _resolve(self, container_id: str) -> None:
        for pause in _PAUSES:
            time.sleep(pause)
            try:
                container = self._runtime.container(container_id)
            except ContainerNotFound:
                continue
            except RuntimeUnavailable as error:
                _log.warning("container %s goes without a name: %s", container_id, error)
                break
            self._results.put(container)
            return
        self._results.put(Container(id=container_id))

    def close(self) -> None:
        """Drop what was not asked yet."""
        self._threads.shutdown(wait=False, cancel_futures=True)
