"""Rate limits."""

from __future__ import annotations

import pytest

from driftline.errors import TooMany
from driftline.server.http.rate_limits import Limiter


def test_above_the_limit_the_error_says_when_to_retry() -> None:
    limiter = Limiter({"hunts": 2})
    limiter.count("hunts", "ada")
    limiter.count("hunts", "ada")

    with pytest.raises(TooMany, match="more than 2 a minute") as caught:
        limiter.count("hunts", "ada")

    assert 1 <= caught.value.seconds <= 120


def test_names_and_keys_are_counted_separately() -> None:
    limiter = Limiter({"hunts": 1, "logins": 1})
    limiter.count("hunts", "ada")

    limiter.count("hunts", "bob")
    limiter.count("logins", "ada")
