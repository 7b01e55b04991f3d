"""Signals and their waiters."""

from __future__ import annotations

import asyncio
import threading

from driftline.server.signals import Hub

LONG = 10.0


def test_a_signal_from_a_thread_wakes_the_waiter() -> None:
    hub = Hub()

    async def scene() -> bool:
        waiting = asyncio.create_task(hub.wait_change("alerts", 0, seconds=LONG))
        await asyncio.sleep(0)
        threading.Thread(target=hub.signal, args=("alerts",)).start()
        return await waiting

    assert asyncio.run(scene())


def test_a_signal_before_the_waiting_is_not_lost() -> None:
    hub = Hub()
    hub.signal("alerts")

    assert asyncio.run(hub.wait_change("alerts", 0, seconds=LONG))


def test_a_signal_of_another_topic_wakes_no_waiter() -> None:
    hub = Hub()
    hub.signal("policies")

    assert not asyncio.run(hub.wait_change("alerts", 0, seconds=0.01))


def test_close_wakes_all_waiters() -> None:
    hub = Hub()

    async def scene() -> list[bool]:
        waiting = [asyncio.create_task(hub.wait_change(topic, 0, seconds=LONG)) for topic in ("a", "b")]
        await asyncio.sleep(0)
        hub.close()
        return list(await asyncio.gather(*waiting))

    assert asyncio.run(scene()) == [False, False]


def test_a_thousand_waiters_wake_by_one_signal() -> None:
    hub = Hub()

    async def scene() -> int:
        waiting = [asyncio.create_task(hub.wait_change("policies", 0, seconds=LONG)) for _ in range(1000)]
        await asyncio.sleep(0)
        hub.signal("policies")
        return sum(await asyncio.gather(*waiting))

    assert asyncio.run(scene()) == 1000
