"""The container runtime of the node, containerd or CRI-O."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from driftline.cluster._channel import RPC_SECONDS, Channel, Unsupported, find_socket
from driftline.cluster._containerd import Containerd
from driftline.cluster._cri import Cri
from driftline.cluster._layers import ImageLayers, find_layers
from driftline.cluster._watch import Change, Watch
from driftline.errors import ContainerNotFound, RuntimeUnavailable
from driftline.events import Container

__all__ = ["Runtime", "image_layers"]


class Runtime:
    """Lists and describes the containers of the node.

    ``address`` is the path of the runtime's socket, with or without ``unix://``; empty tries the known
    sockets whenever a call finds no connection, so that the runtime may be started later. ``timeout``
    is the deadline of one call in seconds. Methods may be called from any thread, and raise
    ``RuntimeUnavailable`` if the runtime does not answer.
    """

    def __init__(self, address: str = "", *, timeout: float = RPC_SECONDS) -> None:
        self._address = address.removeprefix("unix://")
        self._timeout = timeout
        self._lock = threading.Lock()
        self._channel: Channel | None = None
        self._sources: tuple[Cri | Containerd, ...] = ()

    @property
    def address(self) -> str:
        """Path of the socket in use or given; empty if none has been found yet."""
        return self._channel.path if self._channel else self._address

    def containers(self) -> list[Container]:
        """Return the running containers, pod sandboxes included."""
        found: dict[str, Container] = {}
        unsupported = 0
        sources = self._connect()
        for source in sources:
            try:
                found |= {container.id: container for container in source.containers(found.keys())}
            except Unsupported:
                unsupported += 1
        if unsupported == len(sources):
            raise RuntimeUnavailable(f"{self.address} speaks neither CRI v1 nor containerd's own API")
        return list(found.values())

    def known(self, ids: Collection[str]) -> set[str]:
        """Return those of ``ids`` that are containers or sandboxes of the runtime, running or not.

        A few calls for any number of ids, so that many unknown ones cost no more than one.
        """
        found: set[str] = set()
        unsupported = 0
        sources = self._connect()
        for source in sources:
            try:
                found |= source.known(set(ids) - found)
            except Unsupported:
                unsupported += 1
        if unsupported == len(sources):
            raise RuntimeUnavailable(f"{self.address} speaks neither CRI v1 nor containerd's own API")
        return found

    def container(self, container_id: str) -> Container:
        """Return one container or sandbox, running or not; raise ``ContainerNotFound`` if there is none."""
        for source in self._connect():
            try:
                return source.container(container_id)
            except (ContainerNotFound, Unsupported):
                continue
        raise ContainerNotFound(f"the container runtime at {self.address} knows no container {container_id}")

    def watch(self, on_change: Callable[[Change], None]) -> Watch:
        """Call ``on_change`` in a thread for every container that starts or ends, until the watch is closed."""
        return Watch(self._open, on_change)

    def image_layers(self, reference: str) -> ImageLayers:
        """Find an image's layers; raise ``ImageNotFound``, ``ImageError`` or ``CorruptImage``.

        ``reference`` may be familiar (``busybox``) or full. Only containerd gives access to layers.
        """
        self._connect()
        assert self._channel
        return find_layers(self._channel, reference)

    def close(self) -> None:
        """Close the connection; a later call opens a new one."""
        with self._lock:
            if self._channel:
                self._channel.close()
            self._channel, self._sources = None, ()

    def _connect(self) -> tuple[Cri | Containerd, ...]:
        with self._lock:
            if self._channel is None:
                self._channel = self._open()
                containerd = Containerd(self._channel)
                # CRI first: it knows pods, labels and runtime classes; containerd adds the rest.
                self._sources = (Cri(self._channel, containerd), containerd)
            return self._sources

    def _open(self) -> Channel:
        return Channel(self._address or find_socket(), timeout=self._timeout)


def image_layers(reference: str, *, address: str = "") -> ImageLayers:
    """Find an image's layers on this node, as ``Runtime.image_layers`` does.

    The connection stays open as long as the blobs are referenced.
    """
    return Runtime(address).image_layers(reference)
