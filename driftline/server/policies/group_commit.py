"""Acknowledgements, many in one transaction.

A change reaches the whole fleet within a second, and each sensor says so at once. While one
transaction is being written, those that come meanwhile gather for the next; each is answered when
its own is committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import anyio.to_thread

from driftline.errors import StateError

__all__ = ["GroupCommit"]

Item = TypeVar("Item")


class GroupCommit(Generic[Item]):
    """Hands items to ``write`` in groups; for one event loop."""

    def __init__(self, write: Callable[[Sequence[Item]], None]) -> None:
        self._write = write
        self._waiting: list[tuple[Item, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def add(self, item: Item) -> None:
        """Write an item; returns when it is committed, raises ``StateError`` if its group was not."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        await done

    async def _run(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            try:
                await anyio.to_thread.run_sync(self._write, [item for item, _ in group])
            except StateError as error:
                _settle(group, error)
            else:
                _settle(group, None)


# Who has gone away meanwhile left a cancelled future behind.
def _settle(group: Sequence[tuple[Item, asyncio.Future[None]]], error: StateError | None) -> None:
    for _, done in group:
        if done.cancelled():
            continue
        if error:
            done.set_exception(error)
        else:
            done.set_result(None)
