"""Failures of repeated work in the log."""

from __future__ import annotations

import logging

import pytest

from driftline.errors import StoreError
from driftline.server.failure_log import FailureLog


def test_a_failure_is_logged_again_after_a_success_or_another_failure(caplog: pytest.LogCaptureFixture) -> None:
    failures = FailureLog(logging.getLogger("test"), "the work waits")
    for text in ("full", "full", "busy", "full"):
        failures.failed(StoreError(text))
    failures.succeeded()
    failures.failed(StoreError("full"))

    assert caplog.messages == [f"the work waits: {text}" for text in ("full", "busy", "full", "full")]
    assert not any(record.exc_info for record in caplog.records)


def test_a_bug_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    FailureLog(logging.getLogger("test"), "the work waits").failed(KeyError("x"))

    assert caplog.messages == ["the work waits: KeyError('x')"]
    assert caplog.records[0].exc_info
