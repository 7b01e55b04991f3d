"""Stream of container starts and ends from the runtime, in a thread, across reconnects."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from cri_api.v1 import api_pb2

from driftline.cluster import _schema
from driftline.cluster._channel import Channel, Unsupported
from driftline.errors import RuntimeUnavailable

__all__ = ["Change", "ChangeKind", "Watch"]

RETRY_SECONDS = 2.0  # pause before connecting again
# containerd event topics (core/runtime/events.go); exec'd processes have topics of their own.
TOPICS = ("/tasks/start", "/tasks/exit")


class ChangeKind(enum.Enum):
    """Event of a container, or of the stream itself."""

    STARTED = "started"
    ENDED = "ended"
    MISSED = "missed"
    """The stream has begun, or begun again: list the containers, since changes may have been missed."""


@dataclass(frozen=True, slots=True)
class Change:
    """One event of the stream."""

    kind: ChangeKind
    container_id: str = ""
    """Id of the container; empty for ``MISSED``."""


class Watch:
    """Thread that calls ``on_change`` for every change until it is closed.

    ``connect`` opens a channel of its own for the stream. The callback runs in the watch's thread and
    must not raise. After a lost connection the watch reconnects and reports ``MISSED``; if the runtime
    has no event stream it ends silently.
    """

    def __init__(self, connect: Callable[[], Channel], on_change: Callable[[Change], None]) -> None:
        self._connect = connect
        self._on_change = on_change
        self._closed = threading.Event()
        self._channel: Channel | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="runtime-watch", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the stream and wait until the last callback has returned."""
        with self._lock:
            self._closed.set()
            if self._channel:
                self._channel.close()  # ends the stream the thread waits in
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._follow()
            except Unsupported:
                return  # the runtime has no event stream: the sensor relies on cgroup events alone
            except RuntimeUnavailable:
                self._closed.wait(RETRY_SECONDS)

    def _follow(self) -> None:
        with self._lock:
            if self._closed.is_set():
                return
            self._channel = self._connect()
        try:
            # Choosing the stream calls the runtime, so MISSED is reported only when it answers.
            changes = _changes(self._channel)
            self._on_change(Change(ChangeKind.MISSED))
            for change in changes:
                self._on_change(change)
        finally:
            self._channel.close()


# containerd's own events cover all its namespaces, CRI events pods only, and containerd implements
# the CRI events since 1.7. CRI-O has CRI events only.
def _changes(channel: Channel) -> Iterator[Change]:
    try:
        channel.containerd("containerd.services.namespaces.v1.Namespaces/List")
    except Unsupported:
        return _cri_changes(channel)
    return _containerd_changes(channel)


def _containerd_changes(channel: Channel) -> Iterator[Change]:
    filters = [f'topic=="{topic}"' for topic in TOPICS]
    method = "containerd.services.events.v1.Events/Subscribe"
    for envelope in channel.containerd_stream(method, timeout=None, filters=filters):
        event = _schema.message("TaskEvent").FromString(envelope.event.value)
        if envelope.topic == "/tasks/start":
            yield Change(ChangeKind.STARTED, event.container_id)
        elif event.id == event.container_id:  # otherwise a process started by ``exec`` ended
            yield Change(ChangeKind.ENDED, event.container_id)


def _cri_changes(channel: Channel) -> Iterator[Change]:
    kinds: dict[Any, ChangeKind] = {
        api_pb2.CONTAINER_STARTED_EVENT: ChangeKind.STARTED,
        api_pb2.CONTAINER_STOPPED_EVENT: ChangeKind.ENDED,
    }
    for event in channel.cri_events():
        if event.container_event_type in kinds:
            yield Change(kinds[event.container_event_type], event.container_id)
