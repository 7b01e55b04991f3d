"""The states of an alert."""

from __future__ import annotations

from typing import get_args

import pytest

from driftline.errors import Conflict, InvalidInput
from driftline.server.alerts import states

EVERY = [(status, action) for status in get_args(states.Status) for action in get_args(states.Action)]


@pytest.mark.parametrize(("status", "action"), EVERY)
def test_an_action_is_allowed_or_refused_with_the_allowed_actions(status: states.Status, action: states.Action) -> None:
    if (status, action) in states.TRANSITIONS:
        assert states.next_status(status, action) in get_args(states.Status)
    else:
        with pytest.raises(Conflict, match="expected one of"):
            states.next_status(status, action)


def test_every_status_is_reached_and_left() -> None:
    left = {status for (status, _), target in states.TRANSITIONS.items() if target != status}

    assert left == set(states.TRANSITIONS.values()) == set(get_args(states.Status))


def test_resolving_needs_a_classification() -> None:
    with pytest.raises(InvalidInput, match="resolve needs one of true positive, benign, false positive"):
        states.check_classification("resolve", None, None)


def test_a_determination_must_belong_to_its_classification() -> None:
    states.check_classification("resolve", "false positive", "not malicious")

    with pytest.raises(InvalidInput, match="false positive has the determinations"):
        states.check_classification("resolve", "false positive", "malware")


def test_a_determination_without_a_classification_is_refused() -> None:
    with pytest.raises(InvalidInput, match="expected a classification with it"):
        states.check_classification("start", None, "other")
