"""Group commits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from driftline.errors import StateError
from driftline.server.policies.group_commit import GroupCommit


def test_items_that_arrive_together_are_written_together() -> None:
    groups: list[list[int]] = []

    async def scene() -> None:
        commit: GroupCommit[int] = GroupCommit(lambda items: groups.append(list(items)))
        await asyncio.gather(*(commit.add(number) for number in range(1000)))
        await commit.add(1000)

    asyncio.run(scene())

    assert sorted(number for group in groups for number in group) == list(range(1001))
    assert len(groups) <= 3


def test_a_failed_group_raises_and_the_next_one_is_written() -> None:
    written: list[int] = []

    def write(items: Sequence[int]) -> None:
        if -1 in items:
            raise StateError("no space")
        written.extend(items)

    async def scene() -> None:
        commit = GroupCommit(write)
        with pytest.raises(StateError, match="no space"):
            await commit.add(-1)
        await commit.add(1)

    asyncio.run(scene())

    assert written == [1]


def test_a_cancelled_item_does_not_block_its_group() -> None:
    async def scene() -> None:
        commit: GroupCommit[int] = GroupCommit(lambda _: None)
        gone = asyncio.create_task(commit.add(1))
        await asyncio.sleep(0)
        gone.cancel()
        await commit.add(2)

    asyncio.run(scene())
