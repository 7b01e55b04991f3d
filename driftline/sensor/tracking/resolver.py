"""Lookup of containers at the container runtime, in threads beside the sensor's loop.

Cgroups whose names look like containers are many on some nodes: those of a second runtime, or those that a container
makes. The runtime knows none of them, so what is asked about them must be bounded, and must never delay a new
container:

- One thread asks which of the ids that are due the runtime knows (``Runtime.known``): a few calls, whatever the
  number of ids. Only known containers are described, by a few other threads.
- A new container is asked for at once and a few times more in its first second: its cgroup may exist before the runtime
  answers for it. Then its events go on without a name, and it is asked for with growing pauses, of a minute in the end.
- Ids with more tries behind them come last. After each question the thread pauses as long as the answer took, so that
  the runtime is busy with the sensor for half of the time at most.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from driftline import cluster
from driftline.errors import ContainerNotFound, RuntimeUnavailable
from driftline.events import Container
from driftline.sensor.wakeup_queue import WakeupQueue

__all__ = ["Lookup", "Resolver"]

_PAUSES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Seconds before each of the first tries."""
_PAUSE_MAX = 64.0
"""Seconds between two later tries, at most."""
_AWAY_SECONDS = 2.0
"""Seconds before the next try while the runtime does not answer."""
_ASKED_MAX = 1024
"""Ids in one question."""
_ASK_PAUSE = 0.01
"""Seconds between two questions, at least."""
_DESCRIBING = 4
"""Containers that are described at the same time."""
_log = logging.getLogger(__name__)


class Lookup(msgspec.Struct, frozen=True):
    """Result of a lookup."""

    id: str
    """Id of the container."""
    container: Container | None
    """The container; ``None`` if the runtime does not know it, or does not answer."""


class _Pending:
    # A container without a name: its next try, and the tries before.

    def __init__(self) -> None:
        self.due = time.monotonic()
        self.tries = 0
        self.has_ended = False


class Resolver:
    """Looks containers up and puts the results into a queue.

    A container without a name gets a result after its first tries, so that its events are not held back, and another
    one when the runtime knows it at last.
    """

    def __init__(self, runtime: cluster.Runtime, results: WakeupQueue[Lookup]) -> None:
        """Take the client of the runtime, and the queue for the results."""
        self._runtime = runtime
        self._results = results
        self._pending: dict[str, _Pending] = {}
        self._changed = threading.Condition()
        self._is_closed = False
        self._is_away = False
        self._describers = ThreadPoolExecutor(max_workers=_DESCRIBING, thread_name_prefix="resolver")
        threading.Thread(target=self._run, name="resolver", daemon=True).start()

    def request(self, container_id: str) -> None:
        """Request the lookup of a container until it has its name, or until ``forget``.

        The results come through the queue.
        """
        with self._changed:
            self._pending.setdefault(container_id, _Pending()).has_ended = False
            self._changed.notify()

    def forget(self, container_id: str) -> None:
        """End the lookup of a container that has ended, after its first result."""
        with self._changed:
            pending = self._pending.get(container_id)
            if pending and pending.tries >= len(_PAUSES):
                del self._pending[container_id]
            elif pending:
                pending.has_ended = True

    def _run(self) -> None:
        while not self._is_closed:
            ids = self._wait_for_due()
            start = time.monotonic()
            try:
                self._ask(ids)
            except Exception:  # noqa: BLE001 (logged; the lookups of other containers must go on)
                if not self._is_closed:
                    _log.exception("containers could not be looked up")
            time.sleep(max(_ASK_PAUSE, time.monotonic() - start))

    # The ids whose time has come, those with the fewest tries first.
    def _wait_for_due(self) -> Sequence[str]:
        with self._changed:
            while not self._is_closed:
                now = time.monotonic()
                due = [container_id for container_id, pending in self._pending.items() if pending.due <= now]
                if due:
                    return sorted(due, key=lambda container_id: self._pending[container_id].tries)[:_ASKED_MAX]
                next_due = min((pending.due for pending in self._pending.values()), default=math.inf)
                self._changed.wait(None if next_due == math.inf else next_due - now)
        return ()

    def _ask(self, ids: Sequence[str]) -> None:
        try:
            known = self._runtime.known(ids) if ids else set()
        except RuntimeUnavailable as error:
            self._warn(error)
            for container_id in ids:
                self._answer_without_name(container_id, pause=_AWAY_SECONDS)
            return
        self._is_away = False
        for container_id in ids:
            if container_id in known:
                self._put_off(container_id, math.inf)
                self._describers.submit(self._describe, container_id)
            else:
                self._try_later(container_id)

    # Once for each time that the runtime is away: all containers would give the same message.
    def _warn(self, error: RuntimeUnavailable) -> None:
        if not self._is_away and not self._is_closed:
            _log.warning("containers have no names until the runtime answers: %s", error)
        self._is_away = True

    def _try_later(self, container_id: str) -> None:
        with self._changed:
            pending = self._pending.get(container_id)
            if pending is None:
                return
            pending.tries += 1
            tries = pending.tries
        if tries < len(_PAUSES):
            self._put_off(container_id, _PAUSES[tries])
            return
        # Later tries are put off to whole seconds, so that the ids of many containers are asked in one question.
        late = min(2.0 ** (tries - len(_PAUSES)), _PAUSE_MAX)
        now = time.monotonic()
        self._answer_without_name(container_id, pause=math.ceil(now + late) - now)

    def _answer_without_name(self, container_id: str, *, pause: float) -> None:
        with self._changed:
            pending = self._pending.get(container_id)
            if pending and pending.has_ended:
                del self._pending[container_id]
            elif pending:
                pending.tries = max(pending.tries, len(_PAUSES))
        self._put_off(container_id, pause)
        self._results.put(Lookup(container_id, None))

    def _put_off(self, container_id: str, seconds: float) -> None:
        with self._changed:
            pending = self._pending.get(container_id)
            if pending:
                pending.due = time.monotonic() + seconds

    def _describe(self, container_id: str) -> None:
        try:
            container = self._runtime.container(container_id)
        except ContainerNotFound:  # just removed
            self._try_later(container_id)
            return
        except RuntimeUnavailable as error:
            self._warn(error)
            self._answer_without_name(container_id, pause=_AWAY_SECONDS)
            return
        except Exception:
            _log.exception("container %s could not be described", container_id)
            self._answer_without_name(container_id, pause=_PAUSE_MAX)
            raise
        with self._changed:
            self._pending.pop(container_id, None)
        self._results.put(Lookup(container_id, container))

    def close(self) -> None:
        """Cancel lookups that have not begun; does not wait for the others."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._describers.shutdown(wait=False, cancel_futures=True)
