"""Image indexes of the running containers, built once for each image and cached on disk.

An index is built in a child process (``python -m driftline.sensor.verdicts.indexes``): a hostile image cannot harm
the sensor then, and the memory that the build takes is freed with the child.

An index is keyed by the image's digest, so all containers of an image share it, over restarts of the sensor as well.
Until it is complete, executions of the image wait for their verdict, except for unchanged files of its layers.
"""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec

from driftline.errors import DriftlineError, ImageError
from driftline.events import Container
from driftline.image import ImageCache, ImageIndex, LowerDirs

__all__ = ["ImageIndexes"]

_BUILD_SECONDS = 600
"""Seconds after which a build is given up."""
_log = logging.getLogger(__name__)


class _Order(msgspec.Struct, frozen=True):
    # Input of the child process, as JSON.

    cache: str
    digest: str
    lowerdirs: tuple[str, ...]


class ImageIndexes:
    """Opens or builds the index of a container's image, one at a time, in a thread of its own."""

    def __init__(self, directory: Path) -> None:
        """Take the directory of the cache (``driftline.image.ImageCache``)."""
        self._directory = directory
        self._cache = ImageCache(directory)
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="index")
        self._known: dict[str, Future[ImageIndex]] = {}

    def of(self, container: Container) -> Future[ImageIndex]:
        """Return the future index of a container's image; containers of one image share it.

        The future fails with ``ImageError`` if the runtime does not name the image's layers or the build fails; a
        failed build is not repeated.
        """
        if not container.lowerdirs:
            failed: Future[ImageIndex] = Future()
            failed.set_exception(ImageError("the runtime does not tell where the image's layers lie"))
            return failed
        digest = container.image_digest or _digest_of_layers(container.lowerdirs)
        if digest not in self._known:
            self._known[digest] = self._threads.submit(self._open, digest, container.lowerdirs)
        return self._known[digest]

    def _open(self, digest: str, lowerdirs: tuple[str, ...]) -> ImageIndex:
        try:
            return self._get(digest, lowerdirs)
        except DriftlineError as error:
            _log.error("executions in containers of %s stay unverified: %s", digest, error)
            raise

    def _get(self, digest: str, lowerdirs: tuple[str, ...]) -> ImageIndex:
        found = self._cache.get(digest)
        if found is None:
            _build(_Order(str(self._directory), digest, lowerdirs))
            found = self._cache.get(digest)
        if found is None:
            raise ImageError(f"the index of {digest} is gone from {self._directory} as soon as it was built")
        return found

    def close(self) -> None:
        """Cancel the builds that have not begun; does not wait for one under way."""
        self._threads.shutdown(wait=False, cancel_futures=True)


# Snapshotters never reuse a layer's directory for another layer, so the directories identify an image that has no
# digest.
def _digest_of_layers(lowerdirs: tuple[str, ...]) -> str:
    return "sha256:" + hashlib.sha256("\0".join(lowerdirs).encode()).hexdigest()


def _build(order: _Order) -> None:
    command = (sys.executable, "-P", "-m", __name__)
    try:
        child = subprocess.run(
            command, input=msgspec.json.encode(order), check=False, capture_output=True, timeout=_BUILD_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise ImageError(f"indexing {order.digest} took more than {_BUILD_SECONDS} s") from error
    if child.returncode:
        lines = child.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise ImageError(f"indexing {order.digest} failed: {lines[-1]}")


if __name__ == "__main__":
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=_Order)
    ImageCache(order.cache).build(order.digest, LowerDirs(tuple(map(os.fsencode, order.lowerdirs))))
