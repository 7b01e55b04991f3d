"""One lab: a containerd of its own with images, pods and plain containers."""

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import _containerd, _images
from lab._place import RUN, Place, lock_free_place, locked
from lab._pods import PlainContainer, Pod, Runtime
from lab._run import LabError

__all__ = ["Lab", "start"]


def start(name: str | None = None) -> "Lab":
    """Start a lab, after clearing what a crash left in its place.

    Without a name it belongs to this process alone. A named one may be used by many: if it runs
    already, it is used as it is. Raises ``LabError`` with the end of containerd's log.
    """
    if os.geteuid():
        raise LabError("the lab needs root: it starts containers")
    if name is None:
        place, lock = lock_free_place()
        return Lab(place, lock=lock, owned=True)
    with locked(RUN / f"{name}.lock"):
        place = Place.named(name)
        return Lab(place, lock=None, owned=not _containerd.runs(place))


class Lab:
    """A running containerd. Leaving its ``with`` block stops it, unless it ran before."""

    def __init__(self, place: Place, *, lock: int | None, owned: bool) -> None:
        self.place = place
        self._lock = lock
        self._owned = owned
        self._known: dict[str, str] = {}
        if owned:
            _containerd.start(place)
        self.runtime = Runtime(place)
        if owned:
            self.runtime.remove_everything()
        self.image("pause")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop() if self._owned else self.close()

    @property
    def socket(self) -> Path:
        """Where its containerd listens, CRI and containerd's own API alike."""
        return self.place.socket

    def image(self, name: str) -> str:
        """Build and import an image unless that is done; returns its reference.

        A name with a slash is the reference of an image that is there already.
        """
        if "/" in name:
            return name
        if name not in self._known:
            archive, key = _images.build(name)
            self._import(name, archive, key)
            self._known[name] = _images.IMAGES[name].reference
        return self._known[name]

    def pod(
        self,
        name: str,
        *,
        namespace: str = "shop",
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Pod:
        """Start a pod's sandbox."""
        return Pod(self.runtime, self, name, namespace=namespace, labels=labels or {}, annotations=annotations or {})

    def plain_container(
        self, image: str = "busybox", *, command: tuple[str, ...] = ("sleep", "infinity"), namespace: str = "default"
    ) -> PlainContainer:
        """Start a container without CRI, in any containerd namespace, as ``ctr run`` does."""
        self.image(image)
        archive, _ = _images.build(image)
        container = f"plain-{uuid.uuid4().hex[:12]}"
        reference = _images.IMAGES[image].reference
        self.runtime.ctr("images", "import", archive, namespace=namespace).check()
        self.place.remember(f"/{namespace}/{container}")
        self.runtime.ctr("run", "--detach", reference, container, *command, namespace=namespace).check()
        return PlainContainer(self.runtime, container, namespace=namespace)

    def close(self) -> None:
        """Let go of it; its containers run on."""
        self.runtime.close()

    def stop(self) -> None:
        """Remove everything in it and end its containerd; its images stay for the next start."""
        try:
            self.runtime.remove_everything()
        finally:
            self.close()
            _containerd.clear(self.place)
            if self._lock is not None:
                os.close(self._lock)

    def restart(self) -> None:
        """End containerd and start it again; the containers run on meanwhile."""
        _containerd.restart(self.place)

    def _import(self, name: str, archive: Path, key: str) -> None:
        stamp = self.place.data / f"{name}.imported"
        if stamp.exists() and stamp.read_text() == key:
            return
        self.runtime.ctr("images", "import", archive).check()
        stamp.write_text(key)
