from __future__ import annotations

import logging

import pytest

from driftline.sensor.shipping.backoff import Patience


def patience() -> Patience:
    return Patience(logging.getLogger("patience"), failing="it waits", fine="it goes on")


def test_pauses_grow_to_half_a_minute_and_begin_anew() -> None:
    asked = patience()
    pauses = [asked.failed("away") for _ in range(20)]
    asked.succeeded()

    assert 0.25 <= pauses[0] <= 0.5
    assert 15 <= pauses[-1] <= 30
    assert asked.failed("away") <= 0.5


def test_a_complaint_is_logged_when_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    asked = patience()
    for complaint in ("away", "away", "ill"):
        asked.failed(complaint)
    asked.succeeded()
    asked.succeeded()

    assert caplog.messages == ["it waits: away", "it waits: ill", "it goes on"]
