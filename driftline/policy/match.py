"""What a rule asks of an execution, one check at a time.

The only code that compares rules with facts: ``decide`` asks whether all checks of a rule hold,
``explain`` shows them. A check carries what was asked and what was found as they are; words are
made of them only where somebody reads them.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from driftline.events import Container, Content, Subject, Verdict
from driftline.policy.accounts import Provider, normalize_account
from driftline.policy.model import AllowedProcess, CloudScope, Condition, Program, ResourceField, Rule

__all__ = [
    "Check",
    "NodeLocation",
    "ScopeFacts",
    "allow_checks",
    "allowing_entry",
    "covers",
    "exec_checks",
    "expiry",
    "scope_checks",
    "scope_facts",
]

_NEVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)


class NodeLocation(msgspec.Struct, frozen=True, kw_only=True):
    """Where a node is; its sensor's settings say so."""

    cluster: str = ""
    node: str = ""
    cloud: str = ""
    """``azure``, ``aws``, ``gcp``, or empty for on-premises."""
    account: str = ""
    """Subscription, AWS account or GCP project."""
    resource: str = ""
    """The cluster's own id at its cloud provider."""


class ScopeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the scope of rules is compared with: one container, and where it runs."""

    fields: Mapping[ResourceField, str]
    labels: Mapping[str, str]
    provider: str
    account: str


class Check(NamedTuple):
    """One comparison: whether it holds, its name, the expected value and the actual one.

    The types of ``expected`` and ``actual`` depend on ``name``, as the ``…_checks`` functions set them.
    """

    holds: bool
    name: str
    expected: Any
    actual: Any


def scope_facts(container: Container, location: NodeLocation) -> ScopeFacts:
    """Gather what rules look at."""
    fields = {
        ResourceField.CONTAINER_NAME: container.name,
        ResourceField.IMAGE_NAME: container.image,
        ResourceField.NAMESPACE: container.namespace,
        ResourceField.POD_NAME: container.pod,
        ResourceField.CLUSTER_NAME: location.cluster,
    }
    provider = location.cloud or Provider.ON_PREMISES.value
    return ScopeFacts(fields=fields, labels=container.pod_labels, provider=provider, account=location.account)


def scope_checks(rule: Rule, facts: ScopeFacts) -> Iterator[Check]:
    """Compare what cannot change while a container lives: all must hold for the rule to apply to it."""
    yield Check(rule.enabled, "enabled", True, rule.enabled)
    if rule.cloud_scope:
        is_in_scope = any(_is_in_cloud(scope, facts) for scope in rule.cloud_scope)
        yield Check(is_in_scope, "cloud", rule.cloud_scope, (facts.provider, facts.account))
    for condition in rule.resource_scope:
        found = _find(condition, facts)
        yield Check(condition.matches(found or ""), condition.field, condition, found)


def exec_checks(rule: Rule, verdict: Verdict, now: datetime.datetime) -> Iterator[Check]:
    """Compare what differs from execution to execution: all must hold for the rule to decide."""
    yield Check(covers(rule, verdict.subject), "subject", rule.subjects, verdict.subject)
    if rule.expires is not None:
        yield Check(now < expiry(rule), "expires", rule.expires, now)


def allow_checks(rule: Rule, verdict: Verdict, process_name: str) -> Iterator[Check]:
    """Compare the allow list's entries: the first that holds exempts the execution."""
    program = _program(verdict, process_name)
    for entry in rule.allow:
        yield Check(entry.matches(program), "allow", entry, (verdict, process_name))


def allowing_entry(rule: Rule, verdict: Verdict, process_name: str) -> AllowedProcess | None:
    """Find the entry of the allow list that exempts an execution."""
    program = _program(verdict, process_name)
    entries = rule.allow if rule.allows_path(program.path) else rule.allow_without_paths
    return next((entry for entry in entries if entry.matches(program)), None)


def covers(rule: Rule, subject: Subject) -> bool:
    """Say whether a rule is about this kind of execution."""
    return subject in rule.subjects


def expiry(rule: Rule) -> datetime.datetime:
    """Give the time from which a rule is passed over (aware); the end of time for one that stays."""
    return rule.expires or _NEVER


def _is_in_cloud(scope: CloudScope, facts: ScopeFacts) -> bool:
    if scope.provider != facts.provider:
        return False
    return scope.accounts is None or normalize_account(scope.provider, facts.account) in scope.normalized_accounts


# None for a label the pod does not have, which compares like an empty one.
def _find(condition: Condition, facts: ScopeFacts) -> str | None:
    is_label = condition.field == ResourceField.POD_LABEL
    return facts.labels.get(condition.label) if is_label else facts.fields[condition.field]


def _program(verdict: Verdict, name: str) -> Program:
    path = verdict.path.decode(errors="surrogateescape")
    return Program(name=name, path=path, sha256=verdict.sha256, is_relocated=verdict.content == Content.RELOCATED)
