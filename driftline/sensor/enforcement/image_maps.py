"""The files of images in the kernel, for those of whose containers rules block something."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor

from driftline.errors import DriftlineError
from driftline.image import ImageIndex
from driftline.sensor.bpf.block_maps import BlockTables, ImageTable
from driftline.sensor.wakeup_queue import WakeupQueue

__all__ = ["ImageTables"]

Index = Future[ImageIndex]

_log = logging.getLogger(__name__)


class ImageTables:
    """Enters each image once, in a thread of its own. The loop's thread calls all methods."""

    def __init__(self, tables: BlockTables) -> None:
        self.entered: WakeupQueue[tuple[Index, ImageTable]] = WakeupQueue()
        """Wakes the loop, which then calls ``take``."""
        self._tables = tables
        self._numbers = itertools.count(1)
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="imagetables")
        self._known: dict[Index, ImageTable | None] = {}

    def of(self, index: Index) -> ImageTable | None:
        """Give the table of an image; ``None`` for now if it must be entered first."""
        if index not in self._known:
            self._known[index] = None
            index.add_done_callback(lambda done: self._submit(self._enter, done))
        return self._known[index]

    def take(self) -> set[Index]:
        """Give the images that were entered since the last call."""
        entered = self.entered.take()
        for index, table in entered:
            if index in self._known:
                self._known[index] = table
            else:
                self._submit(self._tables.remove_image, table)
        return {index for index, _ in entered}

    def keep(self, used: Collection[Index]) -> None:
        """Remove all other images."""
        for index in [index for index in self._known if index not in used]:
            table = self._known.pop(index)
            if table:
                self._submit(self._tables.remove_image, table)

    # An index that failed leaves its image without a table: what may be the image's is let go.
    def _enter(self, index: Index) -> None:
        try:
            self.entered.put((index, self._tables.add_image(index.result(), next(self._numbers))))
        except DriftlineError:
            return
        except OSError as error:
            _log.error("an image of %d files does not fit into the kernel's table: %s", len(index.result()), error)

    def _submit(self, work: Callable[..., None], about: object) -> None:
        with contextlib.suppress(RuntimeError):  # the sensor stops; the executor takes nothing more
            self._threads.submit(work, about)

    def close(self) -> None:
        """Drop what was not begun; the tables go with the kernel side."""
        self._threads.shutdown(wait=True, cancel_futures=True)
