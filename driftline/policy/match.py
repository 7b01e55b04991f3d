"""Comparison of rules with containers and executions, one check at a time.

All comparisons are here: ``decide`` evaluates whether all checks of a rule hold, and ``explain``
shows them. A check carries the expected and the actual value as objects; ``explain`` alone turns them
into words, because decisions are frequent and explanations rare.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from driftline.events import Container, Content, Subject, Verdict
from driftline.policy import image_reference
from driftline.policy.accounts import Provider, normalize_account
from driftline.policy.model import LABELS, AllowedProcess, CloudScope, Condition, Program, ResourceField, Rule

__all__ = [
    "NOT_KNOWN",
    "Check",
    "NodeLocation",
    "ScopeFacts",
    "allow_checks",
    "allowing_entry",
    "by_name",
    "covers",
    "exec_checks",
    "expiry",
    "scope_checks",
    "scope_facts",
]

NOT_KNOWN = object()
"""Actual value of a check on labels that are not known."""
_NEVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)


class NodeLocation(msgspec.Struct, frozen=True, kw_only=True):
    """Cluster and cloud account of a node, from the settings of its sensor.

    Empty fields are unknown, except that an empty ``cloud`` means on-premises.
    """

    cluster: str = ""
    """Name of the cluster."""
    node: str = ""
    """Name of the node."""
    cloud: str = ""
    """Cloud provider: ``azure``, ``aws`` or ``gcp``."""
    account: str = ""
    """Id of the Azure subscription, AWS account or GCP project."""
    resource: str = ""
    """The cluster's own id at its cloud provider: Azure resource id, ARN or full resource name."""


class ScopeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The properties of a container and its node that cloud scopes and resource scopes refer to."""

    fields: Mapping[ResourceField, str]
    """Values of all resource fields except the labels and the image digest."""
    digests: tuple[str, ...]
    """The image digest in the forms in which conditions write it (``image_reference.digest_forms``)."""
    labels: Mapping[ResourceField, Mapping[str, str] | None]
    """Labels of the pod and of its namespace; ``None`` if they are not known."""
    provider: str
    """Cloud provider as written in cloud scopes, ``on-prem`` outside the clouds."""
    account: str
    """Cloud account of the node; empty if unknown."""


class Check(NamedTuple):
    """One comparison: whether it holds, its name, the expected value and the actual one.

    The types of ``expected`` and ``actual`` depend on ``name``, as the ``…_checks`` functions set them.
    """

    holds: bool
    name: str
    expected: Any
    actual: Any


def by_name(container: Container) -> Sequence[Container]:
    """Return a container once for each name that its image may have; itself alone if the name is certain."""
    return [msgspec.structs.replace(container, image=name) for name in container.image_names] or [container]


def scope_facts(container: Container, location: NodeLocation) -> ScopeFacts:
    """Return the properties of a container and its node that rules refer to."""
    kind, _, owner = container.workload.partition("/")
    fields = {
        ResourceField.CONTAINER_NAME: container.name,
        ResourceField.IMAGE_NAME: container.image,
        ResourceField.NAMESPACE: container.namespace,
        ResourceField.POD_NAME: container.pod,
        ResourceField.OWNER_KIND: kind,
        ResourceField.OWNER_NAME: owner,
        ResourceField.CLUSTER_NAME: location.cluster,
    }
    return ScopeFacts(
        fields=fields,
        digests=image_reference.digest_forms(container.image, container.image_digest),
        labels={
            ResourceField.POD_LABEL: container.pod_labels,
            ResourceField.NAMESPACE_LABEL: container.namespace_labels,
        },
        provider=location.cloud or Provider.ON_PREMISES.value,
        account=location.account,
    )


def scope_checks(rule: Rule, facts: ScopeFacts) -> Iterator[Check]:
    """Yield the checks on the container: the rule applies to it if all of them hold.

    They are ``enabled``, ``cloud`` (if the rule has a cloud scope) and one per condition of the
    resource scope. Their results cannot change while the container runs.
    """
    yield Check(rule.enabled, "enabled", True, rule.enabled)
    if rule.cloud_scope:
        is_in_scope = any(_is_in_cloud(scope, facts) for scope in rule.cloud_scope)
        yield Check(is_in_scope, "cloud", rule.cloud_scope, (facts.provider, facts.account))
    for condition in rule.resource_scope:
        yield _condition_check(condition, facts)


def exec_checks(rule: Rule, verdict: Verdict, now: datetime.datetime) -> Iterator[Check]:
    """Yield the checks on one execution: a rule that applies to the container decides if all hold.

    They are ``subject`` and, if the rule expires, ``expires``. ``now`` is aware, UTC.
    """
    yield Check(covers(rule, verdict.subject), "subject", rule.subjects, verdict.subject)
    if rule.expires is not None:
        yield Check(now < expiry(rule), "expires", rule.expires, now)


def allow_checks(rule: Rule, verdict: Verdict, process_name: str) -> Iterator[Check]:
    """Yield one check per entry of the allow list: the first that holds exempts the execution."""
    program = _program(verdict, process_name)
    for entry in rule.allow:
        yield Check(entry.matches(program), "allow", entry, (verdict, process_name))


def allowing_entry(rule: Rule, verdict: Verdict, process_name: str) -> AllowedProcess | None:
    """Return the first entry of the allow list that exempts an execution; ``None`` if there is none."""
    program = _program(verdict, process_name)
    # One regular expression of all paths is tested first, which is faster than each path by itself.
    entries = rule.allow if rule.allows_path(program.path) else rule.allow_without_paths
    return next((entry for entry in entries if entry.matches(program)), None)


def covers(rule: Rule, subject: Subject) -> bool:
    """Return whether a rule covers this kind of execution."""
    return subject in rule.subjects


def expiry(rule: Rule) -> datetime.datetime:
    """Return the time from which a rule is ignored (aware); the latest representable time if it never expires."""
    return rule.expires or _NEVER


def _is_in_cloud(scope: CloudScope, facts: ScopeFacts) -> bool:
    if scope.provider != facts.provider:
        return False
    return scope.accounts is None or normalize_account(scope.provider, facts.account) in scope.normalized_accounts


def _condition_check(condition: Condition, facts: ScopeFacts) -> Check:
    field = condition.field
    if field in LABELS:
        return _label_check(condition, facts.labels[field])
    if field == ResourceField.IMAGE_DIGEST:
        return Check(condition.holds(facts.digests), field, condition, facts.digests[-1])
    return Check(condition.matches(facts.fields[field]), field, condition, facts.fields[field])


# The actual value is None for a label that is not set. It compares like an empty label, and explanations
# distinguish it. If the labels are not known, a negated operator must not hold: it would match everything.
def _label_check(condition: Condition, labels: Mapping[str, str] | None) -> Check:
    if labels is None:
        return Check(holds=False, name=condition.field, expected=condition, actual=NOT_KNOWN)
    found = labels.get(condition.label)
    return Check(condition.matches(found or ""), condition.field, condition, found)


def _program(verdict: Verdict, name: str) -> Program:
    path = verdict.path.decode(errors="surrogateescape")
    return Program(name=name, path=path, sha256=verdict.sha256, is_relocated=verdict.content == Content.RELOCATED)
