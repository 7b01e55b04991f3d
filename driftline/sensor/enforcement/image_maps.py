"""Files of images in the eBPF map ``image_files``, for images whose containers have rules that block.

An image can have some hundred thousand files, so a thread writes them. Until an image is loaded, any file in the
root overlay may be image content, and the kernel side leaves it to the verdict (``bpf/lib/block.h``,
``may_be_identical``).
"""

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
    """Loads each image once, in a thread of its own. The sensor's loop calls all methods.

    An image is identified by the future of its index, which all its containers share.
    """

    def __init__(self, maps: BlockMaps) -> None:
        """Take the maps to write to."""
        self.entered: WakeupQueue[tuple[Index, LoadedImage]] = WakeupQueue()
        """Images that were loaded; readable when the loop should call ``take``."""
        self._maps = maps
        self._numbers = itertools.count(1)
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="image-maps")
        self._known: dict[Index, LoadedImage | None] = {}

    def of(self, index: Index) -> LoadedImage | None:
        """Return the map entries of an image; ``None`` while they are not loaded.

        The first call starts loading, once the image's index is complete.
        """
        if index not in self._known:
            self._known[index] = None
            index.add_done_callback(lambda done: self._submit(self._enter, done))
        return self._known[index]

    def take(self) -> set[Index]:
        """Return the images that were loaded since the last call."""
        entered = self.entered.take()
        for index, image in entered:
            if index in self._known:
                self._known[index] = image
            else:  # released by ``keep`` while it was being loaded
                self._submit(self._maps.remove_image, image)
        return {index for index, _ in entered}

    def keep(self, used: Collection[Index]) -> None:
        """Remove all images except those in ``used``."""
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
