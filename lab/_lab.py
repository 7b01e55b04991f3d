"""One lab: a private containerd with images, pods and plain containers."""

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import _containerd, _images
from lab._paths import RUN, LabPaths, lock_free_paths, locked
from lab._pods import PlainContainer, Pod, Runtime
from lab._run import LabError

__all__ = ["Lab", "start"]


def start(name: str | None = None) -> "Lab":
    """Start a lab, after clearing what a crashed one left in its directories.

    Without a name the lab belongs to this process alone. A named lab can be shared: if it is running
    already, it is used unchanged. Raises ``LabError`` without root, and with the end of containerd's
    log if containerd does not start.
    """
    if os.geteuid():
        raise LabError("the lab needs root: it starts containers")
    if name is None:
        paths, lock = lock_free_paths()
        return Lab(paths, lock=lock, owned=True)
    # The lock keeps two starts of one name apart; the second finds the first one's containerd.
    with locked(RUN / f"{name}.lock"):
        paths = LabPaths.named(name)
        return Lab(paths, lock=None, owned=not _containerd.runs(paths))


class Lab:
    """Running lab. Leaving its ``with`` block stops it, unless it was running before.

    ``paths`` are its files; ``lock`` is the descriptor that reserves an unnamed lab; ``owned`` means
    that this process started the containerd and stops it.
    """

    def __init__(self, paths: LabPaths, *, lock: int | None, owned: bool) -> None:
        self.paths = paths
        self._lock = lock
        self._owned = owned
        self._known: dict[str, str] = {}
        if owned:
            _containerd.start(paths)
        self.runtime = Runtime(paths)
        # containerd keeps its database of containers in ``data``, which outlives a crash.
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
        """Path of containerd's socket, for CRI and containerd's own API."""
        return self.paths.socket

    def image(self, name: str) -> str:
        """Build and import an image unless that is done; return its reference in containerd.

        A name with a slash is the reference of an image that containerd has already.
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
        """Start a pod's sandbox; its containers are started through the result."""
        return Pod(self.runtime, self, name, namespace=namespace, labels=labels or {}, annotations=annotations or {})

    def plain_container(
        self,
        image: str = "busybox",
        *,
        command: tuple[str, ...] = ("sleep", "infinity"),
        namespace: str = "default",
        snapshotter: str = "overlayfs",
    ) -> PlainContainer:
        """Start a container without CRI, as ``ctr run`` does, in any containerd namespace."""
        where = ("--snapshotter", snapshotter)
        self.image(image)
        archive, _ = _images.build(image)
        container = f"plain-{uuid.uuid4().hex[:12]}"
        reference = _images.IMAGES[image].reference
        self.runtime.ctr("images", "import", *where, archive, namespace=namespace).check()
        self.paths.remember(f"/{namespace}/{container}")
        self.runtime.ctr("run", "--detach", *where, reference, container, *command, namespace=namespace).check()
        return PlainContainer(self.runtime, container, namespace=namespace)

    def close(self) -> None:
        """Close the connection; the containers keep running."""
        self.runtime.close()

    def stop(self) -> None:
        """Remove all containers and stop containerd; images remain for the next start."""
        try:
            self.runtime.remove_everything()
        finally:
            self.close()
            _containerd.clear(self.paths)
            if self._lock is not None:
                os.close(self._lock)

    def restart(self) -> None:
        """Stop containerd and start it again; the containers keep running."""
        _containerd.restart(self.paths)

    # The stamp holds the key of the imported image, so that an unchanged image is not imported again.
    def _import(self, name: str, archive: Path, key: str) -> None:
        stamp = self.paths.data / f"{name}.imported"
        if stamp.exists() and stamp.read_text() == key:
            return
        self.runtime.ctr("images", "import", archive).check()
        stamp.write_text(key)
