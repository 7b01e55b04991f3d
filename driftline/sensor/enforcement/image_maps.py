"""The files of images in the kernel, for those of whose containers rules block something."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor

from driftline.errors import DriftlineError
from driftline.image import ImageIndex
from driftline.sensor.bpf.block_maps import BlockMaps, LoadedImage
from driftline.sensor.wakeup_queue import WakeupQueue

__all__ = ["ImageMaps"]

Index = Future[ImageIndex]

_log = logging.getLogger(__name__)


class ImageMaps:
    """Enters each image once, in a thread of its own. The loop's thread calls all methods."""

    def __init__(self, maps: BlockMaps) -> None:
        self.entered: WakeupQueue[tuple[Index, LoadedImage]] = WakeupQueue()
        """Wakes the loop, which then calls ``take``."""
        self._maps = maps
        self._numbers = itertools.count(1)
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="image-maps")
        self._known: dict[Index, LoadedImage | None] = {}

    def of(self, index: Index) -> LoadedImage | None:
        """Return the map entries of an image; ``None`` while they are still being written."""
        if index not in self._known:
            self._known[index] = None
            index.add_done_callback(lambda done: self._submit(self._enter, done))
        return self._known[index]

    def take(self) -> set[Index]:
        """Give the images that were entered since the last call."""
        entered = self.entered.take()
        for index, image in entered:
            if index in self._known:
                self._known[index] = image
            else:
                self._submit(self._maps.remove_image, image)
        return {index for index, _ in entered}

    def keep(self, used: Collection[Index]) -> None:
        """Remove all other images."""
        for index in [index for index in self._known if index not in used]:
            image = self._known.pop(index)
            if image:
                self._submit(self._maps.remove_image, image)

    # An image whose index failed has no entries: a file that may be image content is not blocked.
    def _enter(self, index: Index) -> None:
        try:
            self.entered.put((index, self._maps.add_image(index.result(), next(self._numbers))))
        except DriftlineError:
            return
        except OSError as error:
            _log.error("an image of %d files does not fit into the kernel's map: %s", len(index.result()), error)

    def _submit(self, work: Callable[..., None], about: object) -> None:
        with contextlib.suppress(RuntimeError):  # the sensor stops; the executor takes nothing more
            self._threads.submit(work, about)

    def close(self) -> None:
        """Cancel the writes that have not begun; the maps are freed with the eBPF object."""
        self._threads.shutdown(wait=True, cancel_futures=True)
