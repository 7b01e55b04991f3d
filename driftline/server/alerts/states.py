"""The life of an alert: a table of state and action to state; pure.

The API's refusals, the page of the documentation and whoever draws buttons read the same table.
Classifications and determinations are Defender XDR's
(https://learn.microsoft.com/defender-xdr/investigate-alerts).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from driftline.errors import Conflict, InvalidInput

__all__ = [
    "CLASSIFICATIONS",
    "TRANSITIONS",
    "Action",
    "Classification",
    "Determination",
    "Status",
    "check_classification",
    "next_status",
]

Status = Literal["new", "in progress", "resolved"]
Action = Literal["start", "release", "resolve", "reopen", "assign", "classify", "comment"]
Classification = Literal["true positive", "benign", "false positive"]
Determination = Literal[
    "malware",
    "malicious user activity",
    "compromised account",
    "multistage attack",
    "unwanted software",
    "security testing",
    "confirmed activity",
    "line of business application",
    "not malicious",
    "not enough data",
    "other",
]

TRANSITIONS: Mapping[tuple[Status, Action], Status] = {
    ("new", "start"): "in progress",
    ("new", "resolve"): "resolved",
    ("new", "assign"): "new",
    ("new", "classify"): "new",
    ("new", "comment"): "new",
    ("in progress", "release"): "new",
    ("in progress", "resolve"): "resolved",
    ("in progress", "assign"): "in progress",
    ("in progress", "classify"): "in progress",
    ("in progress", "comment"): "in progress",
    ("resolved", "reopen"): "in progress",
    ("resolved", "classify"): "resolved",
    ("resolved", "comment"): "resolved",
}
"""What each action makes of each state; what is not here is refused."""

CLASSIFICATIONS: Mapping[Classification, tuple[Determination, ...]] = {
    "true positive": (
        "malware",
        "malicious user activity",
        "compromised account",
        "multistage attack",
        "unwanted software",
        "other",
    ),
    "benign": ("security testing", "confirmed activity", "line of business application", "other"),
    "false positive": ("not malicious", "not enough data", "other"),
}
"""The reasons each classification may have."""


def next_status(status: Status, action: Action) -> Status:
    """Give the state an action leads to; raises ``Conflict`` where the table has none."""
    found = TRANSITIONS.get((status, action))
    if found is None:
        able = [each for each in get_args(Action) if (status, each) in TRANSITIONS]
        raise Conflict(f"an alert that is {status} cannot {action}; expected one of {', '.join(able)}")
    return found


def check_classification(
    action: Action, classification: Classification | None, determination: Determination | None
) -> None:
    """Raise ``InvalidInput`` unless the action has the classification it needs, and a reason that fits."""
    if action in ("resolve", "classify") and classification is None:
        raise InvalidInput(f"classification: {action} needs one of {', '.join(CLASSIFICATIONS)}")
    if determination is None:
        return
    if classification is None:
        raise InvalidInput("determination: expected a classification with it")
    if determination not in (fitting := CLASSIFICATIONS[classification]):
        raise InvalidInput(f"determination: {classification} has the reasons {', '.join(fitting)}")
