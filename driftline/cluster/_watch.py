"""Changes of containers as the runtime reports them, in a thread, over reconnects."""

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

RETRY_SECONDS = 2.0
TOPICS = ("/tasks/start", "/tasks/exit")


class ChangeKind(enum.Enum):
    """What happened to a container, or to the stream that tells of it."""

    STARTED = "started"
    ENDED = "ended"
    MISSED = "missed"
    """The stream begins, or begins anew: list the containers, some changes may not have been told."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change; ``container_id`` is empty for ``MISSED``."""

    kind: ChangeKind
    container_id: str = ""


class Watch:
    """Calls back for every change until closed. The callback runs in the watch's thread and must not raise."""

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
        """End the stream and wait for the last callback."""
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
                return  # no stream of either kind: the caller's cgroup events have to do
            except RuntimeUnavailable:
                self._closed.wait(RETRY_SECONDS)

    def _follow(self) -> None:
        with self._lock:
            if self._closed.is_set():
                return
            self._channel = self._connect()
        try:
            changes = _changes(self._channel)
            self._on_change(Change(ChangeKind.MISSED))
            for change in changes:
                self._on_change(change)
        finally:
            self._channel.close()


# containerd's own events tell of all its namespaces, CRI's of pods alone; and CRI has them only
# since containerd 1.7. CRI-O has nothing but CRI's.
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
        elif event.id == event.container_id:  # else a process of ``exec`` ended
            yield Change(ChangeKind.ENDED, event.container_id)


def _cri_changes(channel: Channel) -> Iterator[Change]:
    kinds: dict[Any, ChangeKind] = {
        api_pb2.CONTAINER_STARTED_EVENT: ChangeKind.STARTED,
        api_pb2.CONTAINER_STOPPED_EVENT: ChangeKind.ENDED,
    }
    for event in channel.cri_events():
        if event.container_event_type in kinds:
            yield Change(kinds[event.container_event_type], event.container_id)
