"""The bound on memory held by requests in progress, in total and by sender."""

from __future__ import annotations

import pytest

from driftline.errors import TooMany
from driftline.server.http.backpressure import Room


def test_bytes_are_bounded_and_released() -> None:
    room = Room(max_bytes=10, max_requests=9)
    with room.take("a", 8), pytest.raises(TooMany, match="holds 8 bytes"), room.take("b", 3):
        pass
    assert room.bytes == 0
    with room.take("b", 100):  # alone, anything goes
        assert room.bytes == 100


def test_requests_of_one_sender_are_bounded() -> None:
    room = Room(max_bytes=10, max_requests=1)
    with room.take("a", 1):
        with pytest.raises(TooMany, match="1 batches of this sensor"), room.take("a", 1):
            pass
        with room.take("b", 1):
            assert room.bytes == 2
