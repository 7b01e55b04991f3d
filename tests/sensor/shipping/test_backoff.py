from __future__ import annotations

import logging

import pytest

from driftline.sensor.shipping.backoff import Backoff


def backoff() -> Backoff:
    return Backoff(logging.getLogger("backoff"), failing="it waits", fine="it goes on")


def test_pauses_grow_to_30_seconds_and_reset_after_success() -> None:
    retry = backoff()
    pauses = [retry.failed("away") for _ in range(20)]
    retry.succeeded()

    assert 0.25 <= pauses[0] <= 0.5
    assert 15 <= pauses[-1] <= 30
    assert retry.failed("away") <= 0.5


def test_an_error_is_logged_only_when_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    retry = backoff()
    for error in ("away", "away", "ill"):
        retry.failed(error)
    retry.succeeded()
    retry.succeeded()

    assert caplog.messages == ["it waits: away", "it waits: ill", "it goes on"]
