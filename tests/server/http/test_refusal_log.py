"""The same refusal is logged once in ten minutes."""

from __future__ import annotations

import datetime

import pytest

from driftline.errors import Forbidden
from driftline.server.http.refusal_log import RefusalLog
from tests.wire.making import NOW


def test_a_reason_is_logged_once_and_later_with_its_count(caplog: pytest.LogCaptureFixture) -> None:
    time = NOW
    refusals = RefusalLog(lambda: time)
    for _ in range(1000):
        refusals.log("n1", "expired")
    refusals.log("n2", "expired")
    time += datetime.timedelta(minutes=11)
    refusals.log("n1", "expired")

    assert caplog.messages == [
        "n1 was refused: expired",
        "n2 was refused: expired",
        "n1 was refused: expired (and 999 times since it was last logged)",
    ]


def test_the_error_is_raised_again_and_line_breaks_are_escaped(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Forbidden), RefusalLog(lambda: NOW).logging("n\n1"):
        raise Forbidden("a\nb")

    assert caplog.messages == ["n\\n1 was refused: a\\nb"]
