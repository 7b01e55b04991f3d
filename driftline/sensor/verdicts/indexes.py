"""The image indexes of the containers at hand, built once for each image.

An index is built in a child process: reading a hostile image must not be able to hurt the
sensor, and the memory it takes goes away with the child.
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
_log = logging.getLogger(__name__)


class _Order(msgspec.Struct, frozen=True):
    cache: str
    digest: str
    lowerdirs: tuple[str, ...]


class ImageIndexes:
    """Gives a future index for each container; one build at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._cache = ImageCache(directory)
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="index")
        self._known: dict[str, Future[ImageIndex]] = {}

    def of(self, container: Container) -> Future[ImageIndex]:
        """Give the index of a container's image; fails with ``ImageError``."""
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
            _log.error("what runs in containers of %s stays unverified: %s", digest, error)
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
        """Forget what was not begun; a build at work ends with its child."""
        self._threads.shutdown(wait=False, cancel_futures=True)


# The layers' folders are never used again for others, so they name an image that has no digest.
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
