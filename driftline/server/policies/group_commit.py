"""Group commit: items that arrive while a transaction is written share the next one.

A new policy reaches the whole fleet within a second, and every sensor acknowledges it at once. One transaction for each
acknowledgement would keep the state's writer busy for long. An item is confirmed when its own transaction is committed.
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
    """Passes items to ``write`` in groups, one group at a time. Not thread-safe: for one event loop."""

    def __init__(self, write: Callable[[Sequence[Item]], None]) -> None:
        self._write = write
        self._waiting: list[tuple[Item, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def add(self, item: Item) -> None:
        """Write an item; returns when its group is committed, raises ``StateError`` if the group failed."""
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


# The future of a request that was cancelled meanwhile is cancelled, too, and takes no result.
def _settle(group: Sequence[tuple[Item, asyncio.Future[None]]], error: StateError | None) -> None:
    for _, done in group:
        if done.cancelled():
            continue
        if error:
            done.set_exception(error)
        else:
            done.set_result(None)
