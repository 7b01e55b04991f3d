"""Which rule decides, and what it says.

A rule's scope depends on the container alone, so the rules that can apply to a container are
worked out once (``rules_for``); each execution then asks only those, in order of priority. The
first whose subjects and expiry leave it standing decides.

The allow list belongs to its rule: a listed process is ignored *by that rule*, which thereby
decides. It does not fall through to the next, for then "allowed" would mean "asked again".
"""

from __future__ import annotations

import datetime
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import msgspec

from driftline.events import Action, Container, Subject, Verdict
from driftline.policy import match
from driftline.policy.match import NodeLocation, ScopeFacts
from driftline.policy.model import DEFAULT_RULE, Policy, Rule

__all__ = [
    "DEFAULT_RULE",
    "ContainerPolicy",
    "Decision",
    "NodeLocation",
    "default_decision",
    "rule_decision",
    "rules_for",
]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What the policy says of one execution."""

    rule: str
    action: Action
    severity: str
    reason: str
    allowed_by: str = ""
    """The allow-list entry that exempted it; empty if none did."""


class ContainerPolicy(msgspec.Struct, frozen=True, dict=True):
    """The rules that apply to one container, in order, and the default's action."""

    rules: tuple[Rule, ...]
    default_action: Action

    def decide(self, verdict: Verdict, *, process_name: str, now: datetime.datetime) -> Decision:
        """Decide an execution whose drift is ``yes`` or ``unknown``. ``now`` is UTC and aware."""
        rule = self.rule_for(verdict.subject, now)
        return rule_decision(rule, verdict, process_name) if rule else default_decision(self.default_action)

    def rule_for(self, subject: Subject, now: datetime.datetime) -> Rule | None:
        """Give the rule that decides all executions of a kind; ``None`` if the default does."""
        expiries, candidates = self._candidates[subject]
        return candidates[bisect_right(expiries, now)]

    @cached_property
    def _candidates(self) -> Mapping[Subject, _Candidates]:
        return {subject: _candidates(self.rules, subject) for subject in Subject}


_Candidates = tuple[Sequence[datetime.datetime], Sequence[Rule | None]]


# The rules that can ever decide on a subject, and when each expires: a rule that expires no later
# than one before it never does, nor does any behind one that never expires. So the times
# ascend, and the first rule that has not expired is found by bisection.
def _candidates(rules: Iterable[Rule], subject: Subject) -> _Candidates:
    expiries: list[datetime.datetime] = []
    found: list[Rule | None] = []
    for rule in rules:
        if match.covers(rule, subject) and (not expiries or match.expiry(rule) > expiries[-1]):
            expiries.append(match.expiry(rule))
            found.append(rule)
            if rule.expires is None:
                break
    return expiries, [*found, None]


def rules_for(policy: Policy, container: Container, location: NodeLocation) -> ContainerPolicy:
    """Pick the enabled rules whose cloud and resource scope hold for a container."""
    facts = match.scope_facts(container, location)
    return ContainerPolicy(
        tuple(rule for rule in policy.rules_by_priority if _applies(rule, facts)), policy.default_rule.action
    )


# A plain loop: all() over a second generator takes a quarter more (1.9 ms for 1,000 rules, not 1.5).
def _applies(rule: Rule, facts: ScopeFacts) -> bool:
    for check in match.scope_checks(rule, facts):  # noqa: SIM110
        if not check.holds:
            return False
    return True


def rule_decision(rule: Rule, verdict: Verdict, process_name: str) -> Decision:
    """Give the decision of a rule that matched."""
    entry = match.allowing_entry(rule, verdict, process_name)
    if entry is None:
        return Decision(rule=rule.name, action=rule.action, severity=rule.severity, reason=f"matched {rule.name}")
    name = entry.name or entry.path or entry.sha256 or "relocated image content"
    return Decision(
        rule=rule.name, action=Action.IGNORE, severity=rule.severity, reason=f"allowed: {name}", allowed_by=name
    )


def default_decision(action: Action) -> Decision:
    """Give the decision where no rule matched."""
    return Decision(rule=DEFAULT_RULE, action=action, severity="Medium", reason="no rule matched")
