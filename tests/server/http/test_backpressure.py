"""The bound on memory held by requests in progress, in total and by sender."""

from __future__ import annotations

import contextlib

import pytest

from driftline.errors import TooMany
from driftline.server.http.backpressure import Held, Room


class Requests:
    """Requests in progress that note which of them were displaced."""

    def __init__(self, stack: contextlib.ExitStack, **bounds: int) -> None:
        self.room = Room(**bounds)
        self.displaced: list[str] = []
        self._stack = stack

    def begin(self, sender: str, size: int = 0) -> Held:
        held = self._stack.enter_context(self.room.enter(sender, lambda: self.displaced.append(sender)))
        if size:
            held.grow(size)
        return held


def test_bytes_count_as_they_arrive_and_are_released() -> None:
    with contextlib.ExitStack() as stack:
        requests = Requests(stack, max_bytes=10, max_requests=9)
        held = requests.begin("a")
        assert requests.room.bytes == 0
        held.grow(4)
        held.grow(4)
        assert requests.room.bytes == 8
        with pytest.raises(TooMany, match="holds 8 bytes"):
            held.grow(3)
    assert requests.room.bytes == 0
    with contextlib.ExitStack() as stack:
        alone = Requests(stack, max_bytes=10, max_requests=1)
        alone.begin("b", 100)  # alone, anything goes
        assert alone.room.bytes == 100


def test_requests_of_one_sender_are_bounded() -> None:
    with contextlib.ExitStack() as stack:
        requests = Requests(stack, max_bytes=10, max_requests=1)
        requests.begin("a", 1)
        with pytest.raises(TooMany, match="1 batches of this sensor"):
            requests.begin("a")
        requests.begin("b", 1)
        assert requests.room.bytes == 2


def test_who_holds_less_takes_room_from_who_holds_most() -> None:
    with contextlib.ExitStack() as stack:
        requests = Requests(stack, max_bytes=20, max_requests=4)
        first, second = requests.begin("greedy", 8), requests.begin("greedy", 9)
        requests.begin("modest", 2)
        requests.begin("new", 3)

        assert (requests.displaced, second.is_displaced, requests.room.bytes) == (["greedy"], True, 13)
        assert not first.is_displaced
        with pytest.raises(TooMany, match="of this sensor"):
            second.grow(1)


def test_who_would_hold_most_is_refused() -> None:
    with contextlib.ExitStack() as stack:
        requests = Requests(stack, max_bytes=10, max_requests=4)
        requests.begin("a", 5)
        held = requests.begin("b", 5)
        with pytest.raises(TooMany, match="holds 10 bytes"):
            held.grow(1)
        assert requests.displaced == []


def test_batches_that_have_arrived_are_not_displaced() -> None:
    with contextlib.ExitStack() as stack:
        requests = Requests(stack, max_bytes=10, max_requests=4)
        requests.begin("a", 9).keep()
        with pytest.raises(TooMany):
            requests.begin("b", 3)


def test_two_senders_cannot_hold_all_room() -> None:
    with contextlib.ExitStack() as stack:
        requests = Requests(stack, max_bytes=64, max_requests=4)
        for sender in ("x", "y"):
            for _ in range(4):
                requests.begin(sender, 8)
        for number in range(20):
            with requests.room.enter(f"honest {number}", lambda: None) as held:
                held.grow(1)
                held.grow(7)
