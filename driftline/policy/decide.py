"""Which rule decides, and what it says.

A rule's scope depends on the container alone, so the rules that can apply to a container are
worked out once (``rules_for``); each execution then asks only those, in order of priority. The
first whose subjects and expiry leave it standing decides.

The allow list belongs to its rule: a listed process is ignored *by that rule*, which thereby
decides. It does not fall through to the next, for then "allowed" would mean "asked again".
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import msgspec

from driftline.events import Action, Container, Verdict
from driftline.policy import match
from driftline.policy.match import Place
from driftline.policy.model import DEFAULT_RULE, Policy, Rule

__all__ = ["DEFAULT_RULE", "ContainerPolicy", "Decision", "Place", "by_default", "by_rule", "in_order", "rules_for"]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What the policy says of one execution."""

    rule: str
    action: Action
    severity: str
    reason: str
    allowed_by: str = ""
    """The allow-list entry that exempted it; empty if none did."""


class ContainerPolicy(msgspec.Struct, frozen=True):
    """The rules that apply to one container, in order, and the default's action."""

    rules: tuple[Rule, ...]
    default_action: Action

    def decide(self, verdict: Verdict, *, process_name: str, now: datetime.datetime) -> Decision:
        """Decide an execution whose drift is ``yes`` or ``unknown``. ``now`` is UTC and aware."""
        for rule in self.rules:
            if match.covers(rule, verdict.subject) and not match.is_expired(rule, now):
                return by_rule(rule, verdict, process_name)
        return by_default(self.default_action)


def rules_for(policy: Policy, container: Container, place: Place) -> ContainerPolicy:
    """Pick the enabled rules whose cloud and resource scope hold for a container."""
    facts = match.facts_of(container, place)
    found = (rule for rule in in_order(policy) if all(check.holds for check in match.scope_checks(rule, facts)))
    return ContainerPolicy(tuple(found), policy.default_rule.action)


def in_order(policy: Policy) -> Sequence[Rule]:
    """Give a policy's rules in the order they are asked."""
    return sorted(policy.rules, key=lambda rule: rule.priority)


def by_rule(rule: Rule, verdict: Verdict, process_name: str) -> Decision:
    """Give the decision of a rule that matched."""
    entry = match.allowing_entry(rule, verdict, process_name)
    if entry is None:
        return Decision(rule=rule.name, action=rule.action, severity=rule.severity, reason=f"matched {rule.name}")
    name = entry.name or entry.path or entry.sha256 or "relocated image content"
    return Decision(
        rule=rule.name, action=Action.IGNORE, severity=rule.severity, reason=f"allowed: {name}", allowed_by=name
    )


def by_default(action: Action) -> Decision:
    """Give the decision where no rule matched."""
    return Decision(rule=DEFAULT_RULE, action=action, severity="Medium", reason="no rule matched")
