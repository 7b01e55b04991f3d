"""Explanation of a policy's decision: every rule that was evaluated, with the result of each check.

Uses the same checks (``driftline.policy.match``) as ``rules_for`` and ``ContainerPolicy.decide``, and
records for each the expected and the actual value in words. A property test holds that both decide alike.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec

from driftline.events import Container, Subject, Verdict, text
from driftline.policy import decide, match
from driftline.policy.decide import Decision
from driftline.policy.match import Check, NodeLocation, ScopeFacts
from driftline.policy.model import AllowedProcess, CloudScope, Condition, Policy, Rule

__all__ = ["Explanation", "Finding", "RuleTrace", "explain"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Result of one check in words."""

    what: str
    """Name of the check: ``enabled``, ``cloud``, a condition's field, ``subject``, ``expires`` or ``allow``."""
    expected: str
    """Value that the rule expects."""
    actual: str
    """Value of the container or the execution."""
    holds: bool
    """Whether the actual value meets the expectation."""


class RuleTrace(msgspec.Struct, frozen=True, kw_only=True):
    """Evaluation of one rule."""

    rule: str
    """Name of the rule."""
    priority: int | None
    """``None`` for the default rule, which comes last."""
    outcome: Literal["decides", "no match"]
    """Whether the rule matched, and so decides."""
    checks: tuple[Finding, ...] = ()
    """All checks on the container and the execution; the rule matches if all of them hold."""
    allow: tuple[Finding, ...] = ()
    """The allow list of the rule that decides; the first entry that holds exempts the execution."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A decision and the evaluation of the rules that led to it."""

    decision: Decision
    """The decision, equal to that of ``ContainerPolicy.decide``."""
    rules: tuple[RuleTrace, ...]
    """The evaluated rules by priority; the last one decided."""
    not_asked: int
    """Number of rules after the deciding one, which were not evaluated."""


def explain(
    policy: Policy,
    container: Container,
    location: NodeLocation,
    *,
    verdict: Verdict,
    process_name: str,
    now: datetime.datetime,
) -> Explanation:
    """Explain the decision on an execution whose drift is ``yes`` or ``unknown``.

    Every check of every rule up to the deciding one is evaluated, also after one that failed, so that the
    explanation shows all reasons why a rule does not match. Only the deciding rule's allow list is evaluated. If
    the image has several names, the explanation is that of the name with the strictest decision.

    ``location`` is the location of the container's node, ``process_name`` the file name of the subject
    without its folder, ``now`` an aware time in UTC.
    """
    facts = [match.scope_facts(each, location) for each in match.by_name(container)]
    found = [_explain(policy, each, verdict, process_name, now) for each in facts]
    strictest = decide.strictest(each.decision for each in found)
    return next(each for each in found if each.decision == strictest)


def _explain(
    policy: Policy, facts: ScopeFacts, verdict: Verdict, process_name: str, now: datetime.datetime
) -> Explanation:
    rules = policy.rules_by_priority
    traces: list[RuleTrace] = []
    for number, rule in enumerate(rules, 1):
        checks = (*match.scope_checks(rule, facts), *match.exec_checks(rule, verdict, now))
        if all(check.holds for check in checks):
            allow = match.allow_checks(rule, verdict, process_name)
            traces.append(_trace(rule, "decides", checks, allow))
            decision = decide.rule_decision(rule, verdict, process_name)
            return Explanation(decision=decision, rules=tuple(traces), not_asked=len(rules) - number)
        traces.append(_trace(rule, "no match", checks))
    default = RuleTrace(rule=decide.DEFAULT_RULE, priority=None, outcome="decides")
    return Explanation(
        decision=decide.default_decision(policy.default_rule.action), rules=(*traces, default), not_asked=0
    )


def _trace(
    rule: Rule, outcome: Literal["decides", "no match"], checks: Iterable[Check], allow: Iterable[Check] = ()
) -> RuleTrace:
    return RuleTrace(
        rule=rule.name,
        priority=rule.priority,
        outcome=outcome,
        checks=tuple(map(_finding, checks)),
        allow=tuple(map(_finding, allow)),
    )


def _finding(check: Check) -> Finding:
    name, expected, actual = _WORDS[check.name](check) if check.name in _WORDS else _condition(check)
    return Finding(what=name, expected=expected, actual=actual, holds=check.holds)


# A check in words: its name, the expected value, the actual value.
Words = tuple[str, str, str]


def _enabled(check: Check) -> Words:
    return "enabled", "true", str(check.actual).lower()


def _cloud(check: Check) -> Words:
    scopes: Sequence[CloudScope] = check.expected
    provider, account = check.actual
    expected = " or ".join(f"{scope.provider.value} ({', '.join(scope.accounts or ('all',))})" for scope in scopes)
    return "cloud", expected, f"{provider} ({account or 'no account'})"


def _condition(check: Check) -> Words:
    condition: Condition = check.expected
    name = f"{check.name} {condition.label}".rstrip()
    unknown = "not known" if check.actual is match.NOT_KNOWN else "no such label"
    actual = repr(check.actual) if isinstance(check.actual, str) else unknown
    return name, f"{condition.operator.value} {' or '.join(map(repr, condition.values))}", actual


def _subject(check: Check) -> Words:
    subjects: Sequence[Subject] = check.expected
    expected = "any" if set(subjects) == set(Subject) else " or ".join(subject.value for subject in subjects)
    return "subject", expected, str(check.actual)


def _expires(check: Check) -> Words:
    expires: datetime.datetime = check.expected
    now: datetime.datetime = check.actual
    return "expires", f"later than now, is {expires.isoformat()}", now.isoformat()


def _allow(check: Check) -> Words:
    entry: AllowedProcess = check.expected
    verdict, name = check.actual
    # An entry has exactly one of the four properties (AllowedProcess validates it).
    if entry.relocated:
        return "allow", "content relocated", f"content {verdict.content}"
    if entry.sha256:
        return "allow", f"sha256 {entry.sha256}", verdict.sha256 or "not read"
    if entry.name:
        return "allow", f"name {entry.name!r}", repr(name)
    return "allow", f"path like {entry.path!r}", repr(text(verdict.path))


# All other checks are conditions, whose name is the field of the container.
_WORDS: dict[str, Callable[[Check], Words]] = {
    "enabled": _enabled,
    "cloud": _cloud,
    "subject": _subject,
    "expires": _expires,
    "allow": _allow,
}
