"""Stored executions, decided anew: what a draft would have made of them.

What was blocked might have gone on to run more, and what was not blocked did: a replay tells of
each execution by itself. It asks the draft as it would decide now, so that rules expired by now
are passed over.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from driftline.events import Action, CloudProcessEvent, Container, Content, Drift, Origin, Subject, Verdict, raw
from driftline.policy.decide import ContainerPolicy, Decision, rules_for
from driftline.policy.match import NodeLocation
from driftline.policy.model import Policy, Provider

__all__ = [
    "Effect",
    "Outcome",
    "Simulation",
    "container_of",
    "location_of",
    "path_of",
    "simulate",
    "verdict_of",
    "workload_of",
]

Outcome = Literal["alerts", "blocked", "silent", "same"]
"""``alerts`` and ``blocked`` now and were not; ``silent`` now and was not; ``same``: the action stays."""


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What a draft changes for one program of one workload."""

    outcome: Outcome
    workload: str
    """``namespace/Kind/name (container)``."""
    program: str
    """Its path in the container, as ``events.text`` has it."""
    content: str
    old_action: str
    """As it was decided then; empty if no policy was asked."""
    old_rule: str
    new_action: str
    new_rule: str
    count: int


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """What a draft would have made of stored executions."""

    executions: int
    """How many drifted, or could not be verified."""
    totals: Mapping[Outcome, int]
    effects: tuple[Effect, ...]
    """By outcome, then workload, the most frequent first."""


_ORDER: tuple[Outcome, ...] = ("blocked", "alerts", "silent", "same")
_SILENT = ("", Action.IGNORE.value)
_OUTCOMES: Mapping[Action, Outcome] = {Action.ALERT: "alerts", Action.BLOCK: "blocked", Action.IGNORE: "silent"}


def simulate(
    policy: Policy, events: Iterable[CloudProcessEvent], *, now: datetime.datetime, location: NodeLocation | None = None
) -> Simulation:
    """Decide executions anew; those without drift are passed over.

    ``location`` is where a cluster is whose events do not say so.
    """
    rules: dict[tuple[str, str], ContainerPolicy] = {}
    counts: Counter[Effect] = Counter()
    for event in events:
        if event.Drift not in (Drift.YES.value, Drift.UNKNOWN.value):
            continue
        key = (event.ClusterName, event.ContainerId)
        if key not in rules:
            rules[key] = rules_for(policy, container_of(event), location_of(event, location or NodeLocation()))
        decision = rules[key].decide(verdict_of(event), process_name=event.FileName, now=now)
        counts[_effect(event, decision)] += 1
    effects = [msgspec.structs.replace(effect, count=count) for effect, count in counts.items()]
    effects.sort(key=lambda each: (_ORDER.index(each.outcome), each.workload, -each.count, each.program))
    totals = {name: sum(each.count for each in effects if each.outcome == name) for name in _ORDER}
    return Simulation(executions=counts.total(), totals=totals, effects=tuple(effects))


def _effect(event: CloudProcessEvent, decision: Decision) -> Effect:
    is_same = event.PolicyAction == decision.action.value or (
        event.PolicyAction in _SILENT and decision.action == Action.IGNORE
    )
    return Effect(
        outcome="same" if is_same else _OUTCOMES[decision.action],
        workload=workload_of(event),
        program=path_of(event),
        content=event.DriftContent,
        old_action=event.PolicyAction,
        old_rule=event.PolicyRule,
        new_action=decision.action.value,
        new_rule=decision.rule,
        count=0,
    )


def workload_of(event: CloudProcessEvent) -> str:
    """Name the workload of an event; a container without a pod stands for itself."""
    owner = event.KubernetesResource or event.KubernetesPodName
    where = "/".join(part for part in (event.KubernetesNamespace, owner) if part)
    name = event.ContainerName or event.ContainerId[:12]
    return f"{where} ({name})" if where else name


def path_of(event: CloudProcessEvent) -> str:
    """Give the path of what ran, as ``events.text`` has it."""
    return f"{event.FolderPath.rstrip('/')}/{event.FileName}"


def container_of(event: CloudProcessEvent) -> Container:
    """Give back what rules look at of the container an event is of."""
    return Container(
        id=event.ContainerId,
        name=event.ContainerName,
        namespace=event.KubernetesNamespace,
        pod=event.KubernetesPodName,
        pod_labels={key: str(value) for key, value in event.PodLabels.items()},
        workload=event.KubernetesResource,
        image=event.ContainerImageName,
        image_digest=event.ImageDigest,
    )


# https://learn.microsoft.com/azure/azure-resource-manager (resource ids), the ARN format of AWS,
# and https://cloud.google.com/iam/docs/full-resource-names
_ACCOUNTS = (
    (Provider.AZURE, "AzureResourceId", re.compile("/subscriptions/([^/]+)", re.IGNORECASE)),
    (Provider.AWS, "AwsResourceName", re.compile("arn:[^:]*:[^:]*:[^:]*:([0-9]{12})")),
    (Provider.GCP, "GcpFullResourceName", re.compile("/projects/([^/]+)")),
)


def location_of(event: CloudProcessEvent, fallback: NodeLocation) -> NodeLocation:
    """Find where the cluster of an event is; ``fallback`` stands in for what it does not say."""
    cluster = event.ClusterName or fallback.cluster
    for provider, column, pattern in _ACCOUNTS:
        resource: str = getattr(event, column)
        if resource:
            match = pattern.search(resource)
            account = match[1] if match else fallback.account
            return NodeLocation(
                cluster=cluster, node=event.NodeName, cloud=provider.value, account=account, resource=resource
            )
    return msgspec.structs.replace(fallback, cluster=cluster, node=event.NodeName)


def verdict_of(event: CloudProcessEvent) -> Verdict:
    """Give back the verdict on an execution that drifted or could not be verified."""
    return Verdict(
        subject=Subject(event.DriftSubject),
        origin=Origin(event.DriftOrigin),
        content=Content(event.DriftContent),
        drift=Drift(event.Drift),
        reason=event.DriftReason,
        path=raw(path_of(event)),
        sha256=event.SHA256,
    )
