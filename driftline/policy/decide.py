"""Which rule decides, and what it says.

A rule's scope depends on the container alone, so the rules that can apply to a container are
worked out once (``rules_for``); each execution then asks only those, in order of priority. The
first whose subjects, allow list and expiry leave it standing decides.

The allow list belongs to its rule: a listed process is ignored *by that rule*, which thereby
decides. It does not fall through to the next, for then "allowed" would mean "asked again".
"""

from __future__ import annotations

import datetime
import fnmatch
from collections.abc import Callable, Mapping

import msgspec

from driftline.events import Action, Container, Content, Verdict
from driftline.policy.model import (
    AllowedProcess,
    CloudScope,
    Condition,
    Operator,
    Policy,
    Provider,
    ResourceField,
    Rule,
)

__all__ = ["DEFAULT_RULE", "ContainerPolicy", "Decision", "Place", "rules_for"]

DEFAULT_RULE = "Default"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a node is; its sensor's settings say so."""

    cluster: str = ""
    node: str = ""
    cloud: str = ""
    """``azure``, ``aws``, ``gcp``, or empty for on-premises."""
    account: str = ""
    """Subscription, AWS account or GCP project."""
    resource: str = ""
    """The cluster's own id at its cloud provider."""


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
            if verdict.subject not in rule.subjects or _is_expired(rule, now):
                continue
            return _decision(rule, verdict, process_name)
        return Decision(rule=DEFAULT_RULE, action=self.default_action, severity="Medium", reason="no rule matched")


def rules_for(policy: Policy, container: Container, place: Place) -> ContainerPolicy:
    """Pick the enabled rules whose cloud and resource scope hold for a container."""
    facts = _facts(container, place)
    found = (
        rule
        for rule in sorted(policy.rules, key=lambda rule: rule.priority)
        if rule.enabled
        and _is_cloud_in_scope(rule, place)
        and all(_holds(c, facts, container) for c in rule.resource_scope)
    )
    return ContainerPolicy(tuple(found), policy.default_rule.action)


def _decision(rule: Rule, verdict: Verdict, process_name: str) -> Decision:
    allowed = next((entry for entry in rule.allow if _is_allowed(entry, verdict, process_name)), None)
    if allowed:
        name = allowed.name or allowed.path or allowed.sha256 or "relocated image content"
        return Decision(
            rule=rule.name, action=Action.IGNORE, severity=rule.severity, reason=f"allowed: {name}", allowed_by=name
        )
    return Decision(rule=rule.name, action=rule.action, severity=rule.severity, reason=f"matched {rule.name}")


def _is_expired(rule: Rule, now: datetime.datetime) -> bool:
    return rule.expires is not None and rule.expires <= now


def _is_cloud_in_scope(rule: Rule, place: Place) -> bool:
    return not rule.cloud_scope or any(_is_in_cloud(scope, place) for scope in rule.cloud_scope)


def _is_in_cloud(scope: CloudScope, place: Place) -> bool:
    provider = place.cloud or Provider.ON_PREMISES.value
    return scope.provider.value == provider and (not scope.accounts or place.account in scope.accounts)


def _facts(container: Container, place: Place) -> Mapping[ResourceField, str]:
    return {
        ResourceField.CONTAINER_NAME: container.name,
        ResourceField.IMAGE_NAME: container.image,
        ResourceField.NAMESPACE: container.namespace,
        ResourceField.POD_NAME: container.pod,
        ResourceField.CLUSTER_NAME: place.cluster,
    }


_COMPARE: dict[Operator, Callable[[str, str], bool]] = {
    Operator.EQUALS: lambda actual, value: actual == value,
    Operator.STARTS_WITH: str.startswith,
    Operator.ENDS_WITH: str.endswith,
    Operator.CONTAINS: lambda actual, value: value in actual,
    Operator.GLOB: fnmatch.fnmatchcase,
}
_NEGATED = {
    Operator.NOT_EQUALS: Operator.EQUALS,
    Operator.NOT_STARTS_WITH: Operator.STARTS_WITH,
    Operator.NOT_ENDS_WITH: Operator.ENDS_WITH,
    Operator.NOT_CONTAINS: Operator.CONTAINS,
    Operator.NOT_GLOB: Operator.GLOB,
}


# A negation holds if none of the values matches, as "is not A or B" is meant.
def _holds(condition: Condition, facts: Mapping[ResourceField, str], container: Container) -> bool:
    is_label = condition.field == ResourceField.POD_LABEL
    actual = container.pod_labels.get(condition.label, "") if is_label else facts[condition.field]
    positive = _NEGATED.get(condition.operator)
    compare = _COMPARE[positive or condition.operator]
    return any(compare(actual, value) for value in condition.values) != (positive is not None)


def _is_allowed(entry: AllowedProcess, verdict: Verdict, process_name: str) -> bool:
    if entry.relocated:
        return verdict.content == Content.RELOCATED
    if entry.sha256:
        return entry.sha256 == verdict.sha256
    if entry.name:
        return entry.name == process_name
    return fnmatch.fnmatchcase(verdict.path.decode(errors="surrogateescape"), entry.path)
