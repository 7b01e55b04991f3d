"""The decision of a policy on one execution: the first matching rule and its action.

The scope of a rule depends on the container alone, so the rules that can apply to a container are
selected once (``rules_for``). Each execution is then compared with only those, in order of priority.
The first rule that covers the subject and has not expired decides.

An image may have several names, of which the runtime does not say which one the user gave. Then the policy
is evaluated with each name by itself, and the strictest decision holds: a container is ignored only if it is
ignored under every name. Rejected was to let an ignore rule match only if all names fit, and any other rule
if one does: the allow list of a rule for one name would then exempt processes of a container with another.

The allow list belongs to its rule: for a listed process *that rule* decides, and its action is
ignore. The process does not fall through to the next rule. Rejected was falling through: an
allowed process could then still be blocked by a later rule.
"""

from __future__ import annotations

import datetime
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import msgspec

from driftline.events import Action, Container, Subject, Verdict
from driftline.policy import match
from driftline.policy.match import NodeLocation, ScopeFacts
from driftline.policy.model import DEFAULT_RULE, Policy, ResourceField, Rule

__all__ = [
    "DEFAULT_RULE",
    "ContainerPolicy",
    "Decision",
    "NodeLocation",
    "default_decision",
    "rule_decision",
    "rules_for",
    "strictest",
]

_STRICTNESS = (Action.IGNORE, Action.ALERT, Action.BLOCK)
_SEVERITIES = ("Informational", "Low", "Medium", "High")


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Decision of a policy on one execution."""

    rule: str
    """Name of the rule that decided, or ``Default``."""
    action: Action
    """Action to take; ``ignore`` for a process on the rule's allow list."""
    severity: str
    """Severity of an alert: Informational, Low, Medium or High."""
    reason: str
    """The decision in words."""
    allowed_by: str = ""
    """The allow-list entry that exempted the execution; empty if none did."""


class ContainerPolicy(msgspec.Struct, frozen=True, dict=True):
    """The rules that apply to one container.

    Immutable. Expiry is evaluated at each decision, so an instance stays valid until the policy or the
    container's data change.
    """

    rules: tuple[Rule, ...]
    """By priority, lowest number first."""
    default_action: Action
    """Action of the default rule."""
    other_rules: tuple[tuple[Rule, ...], ...] = ()
    """The rules under the other names of the image, where they differ; each by priority."""

    def decide(self, verdict: Verdict, *, process_name: str, now: datetime.datetime) -> Decision:
        """Return the decision on an execution whose drift is ``yes`` or ``unknown``.

        ``process_name`` is the file name of the subject without its folder. ``now`` is aware, UTC.
        """
        return strictest(
            rule_decision(rule, verdict, process_name) if rule else default_decision(self.default_action)
            for rule in self.deciding_rules(verdict.subject, now)
        )

    def deciding_rules(self, subject: Subject, now: datetime.datetime) -> Sequence[Rule | None]:
        """Return the rules that decide all executions of a subject at ``now`` (aware, UTC).

        Each is the deciding rule under one of the image's names, so there is one unless the name is ambiguous. Of
        their decisions the strictest holds. ``None`` means the default rule.
        """
        return [candidates[bisect_right(expiries, now)] for expiries, candidates in self._candidates[subject]]

    @cached_property
    def _candidates(self) -> Mapping[Subject, Sequence[_Candidates]]:
        lists = (self.rules, *self.other_rules)
        return {subject: [_candidates(rules, subject) for rules in lists] for subject in Subject}


_Candidates = tuple[Sequence[datetime.datetime], Sequence[Rule | None]]


# The rules that can ever decide on a subject, and the time when each expires. A rule that expires no
# later than one before it never decides, nor does any rule after one that never expires. Without
# those, the times ascend, and bisection finds the first rule that has not expired. The list of rules
# ends with None, the default rule, which bisection yields when all rules have expired.
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


def rules_for(
    policy: Policy, container: Container, location: NodeLocation, *, unknown: Collection[ResourceField] = ()
) -> ContainerPolicy:
    """Select the enabled rules whose cloud scope and resource scope hold for a container, by its image's names.

    ``location`` is the location of the container's node. ``unknown`` are properties that the container runtime has
    not given (yet). A rule whose scope depends on them may hold for the container: it applies if it alerts, or if it
    blocks and fails closed; a blocking rule that fails open only alerts, and a rule that ignores does not apply. Of
    several rules that may hold, one that fails closed decides.
    """
    every_name = (match.scope_facts(each, location) for each in match.by_name(container))
    rules, *others = dict.fromkeys(_applying(policy, facts, unknown) for facts in every_name)
    return ContainerPolicy(rules, policy.default_rule.action, tuple(others))


def _applying(policy: Policy, facts: ScopeFacts, unknown: Collection[ResourceField]) -> tuple[Rule, ...]:
    selected = tuple(rule for rule in policy.rules_by_priority if _applies(rule, facts, unknown))
    if not unknown:
        return selected
    return tuple(rule for subject in Subject for rule in _in_doubt(selected, subject, unknown))


# The rules of one subject. Of those before the next rule that holds for certain, each may decide: one that blocks and
# fails closed comes first.
def _in_doubt(rules: Iterable[Rule], subject: Subject, unknown: Collection[ResourceField]) -> Iterator[Rule]:
    undecided: list[Rule] = []
    for rule in rules:
        if not match.covers(rule, subject):
            continue
        is_certain = not any(condition.field in unknown for condition in rule.resource_scope)
        if is_certain or rule.action != Action.IGNORE:
            fails_open = rule.action == Action.BLOCK and not (is_certain or rule.fail_closed)
            changes = {"subjects": (subject,)} | ({"action": Action.ALERT} if fails_open else {})
            undecided.append(rule.model_copy(update=changes))
        if is_certain:
            yield from sorted(undecided, key=_fails_open)
            undecided = []
    yield from sorted(undecided, key=_fails_open)


def _fails_open(rule: Rule) -> bool:
    return not (rule.action == Action.BLOCK and rule.fail_closed)


# A plain loop, because all() over a second generator takes a quarter longer (1.9 ms instead of 1.5 ms
# for 1,000 rules).
def _applies(rule: Rule, facts: ScopeFacts, unknown: Collection[ResourceField]) -> bool:
    for check in match.scope_checks(rule, facts):  # noqa: SIM110
        if not check.holds and check.name not in unknown:
            return False
    return True


def rule_decision(rule: Rule, verdict: Verdict, process_name: str) -> Decision:
    """Return the decision of a rule that matched: its action, or ignore for a process on its allow list."""
    entry = match.allowing_entry(rule, verdict, process_name)
    if entry is None:
        return Decision(rule=rule.name, action=rule.action, severity=rule.severity, reason=f"matched {rule.name}")
    name = entry.name or entry.path or entry.sha256 or "relocated image content"
    return Decision(
        rule=rule.name, action=Action.IGNORE, severity=rule.severity, reason=f"allowed: {name}", allowed_by=name
    )


def strictest(decisions: Iterable[Decision]) -> Decision:
    """Return the strictest of the decisions under the names of an image; of equal ones the first.

    Block is stricter than alert, alert than ignore; of two alerts the one of the higher severity.
    """
    return max(decisions, key=lambda each: (_STRICTNESS.index(each.action), _SEVERITIES.index(each.severity)))


def default_decision(action: Action) -> Decision:
    """Return the decision of the default rule, for an execution that no rule matched."""
    return Decision(rule=DEFAULT_RULE, action=action, severity="Medium", reason="no rule matched")
