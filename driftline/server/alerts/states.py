"""The states of an alert: a table of status and action to the next status; pure.

The API checks actions with this table and serves it (``GET /alerts/lifecycle``), the reference page is
generated from it, and a user interface shows the actions that it allows. Classifications and determinations
are those of Defender XDR (https://learn.microsoft.com/defender-xdr/investigate-alerts).
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

# A resolved alert has to be reopened before it can be assigned; it can still be classified and commented on.
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
"""The status after an action in a status; an action without an entry is refused."""

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
"""The determinations that each classification may have."""


def next_status(status: Status, action: Action) -> Status:
    """Return the status after an action; raises ``Conflict`` if the present status does not allow the action."""
    found = TRANSITIONS.get((status, action))
    if found is None:
        allowed = [each for each in get_args(Action) if (status, each) in TRANSITIONS]
        raise Conflict(f"an alert that is {status} cannot {action}; expected one of {', '.join(allowed)}")
    return found


def check_classification(
    action: Action, classification: Classification | None, determination: Determination | None
) -> None:
    """Check the classification and the determination of an action.

    ``resolve`` and ``classify`` need a classification; a determination needs a classification that has it.
    Raises ``InvalidInput`` otherwise.
    """
    if action in ("resolve", "classify") and classification is None:
        raise InvalidInput(f"classification: {action} needs one of {', '.join(CLASSIFICATIONS)}")
    if determination is None:
        return
    if classification is None:
        raise InvalidInput("determination: expected a classification with it")
    if determination not in (fitting := CLASSIFICATIONS[classification]):
        raise InvalidInput(f"determination: {classification} has the determinations {', '.join(fitting)}")
