"""Simulation of a draft policy on stored executions, compared with the recorded decisions.

Each execution is decided by itself. A simulation cannot know what a blocked program would have started
next, and still contains what a program started that the draft would have blocked. The draft decides as it
would at present: rules that have expired since the execution do not apply.
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
    "simulate_counted",
    "verdict_of",
    "workload_of",
]

Outcome = Literal["alerts", "blocked", "silent", "same"]
"""Effect of the draft on an execution.

``alerts``, ``blocked`` and ``silent`` name the draft's action where the recorded action was another one;
``same`` means that the action does not change.
"""


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """Effect of a draft on one program of one workload."""

    outcome: Outcome
    """Effect of the draft."""
    workload: str
    """``namespace/Kind/name (container)``."""
    program: str
    """Path of the program in the container, in the notation of ``events.text``."""
    content: str
    """Relation of the program's bytes to the image: relocated, modified, added or unverified."""
    old_action: str
    """Recorded action; empty if no policy was evaluated."""
    old_rule: str
    """Recorded rule; empty if no policy was evaluated."""
    new_action: str
    """Action of the draft."""
    new_rule: str
    """Rule of the draft that decides."""
    count: int
    """Number of executions."""

    @property
    def loses_protection(self) -> bool:
        """Whether the program was recorded as blocked and the draft would let it run."""
        return self.old_action == Action.BLOCK.value and self.new_action != Action.BLOCK.value


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """Result of a simulation."""

    executions: int
    """Number of executions that drifted or could not be verified."""
    totals: Mapping[Outcome, int]
    """Number of executions by outcome."""
    effects: tuple[Effect, ...]
    """Ordered by outcome, then by workload, then by count, largest first."""
    protection_lost: int = 0
    """Number of executions that were recorded as blocked and that the draft would let run."""


_ORDER: tuple[Outcome, ...] = ("blocked", "alerts", "silent", "same")
_SILENT = ("", Action.IGNORE.value)
_OUTCOMES: Mapping[Action, Outcome] = {Action.ALERT: "alerts", Action.BLOCK: "blocked", Action.IGNORE: "silent"}


def simulate(
    policy: Policy, events: Iterable[CloudProcessEvent], *, now: datetime.datetime, location: NodeLocation | None = None
) -> Simulation:
    """Simulate a draft policy on stored executions, as ``simulate_counted`` does."""
    return simulate_counted(policy, ((event, 1) for event in events), now=now, location=location)


def simulate_counted(
    policy: Policy,
    events: Iterable[tuple[CloudProcessEvent, int]],
    *,
    now: datetime.datetime,
    location: NodeLocation | None = None,
) -> Simulation:
    """Simulate a draft policy on stored executions, each with the number of executions that are alike.

    Events without drift (``Drift`` is neither ``yes`` nor ``unknown``) are skipped. ``now`` is the time of
    evaluation, aware, UTC. ``location`` is the cluster and cloud account of events that do not contain
    them; ``None`` means an on-premises cluster without a name.
    """
    # The rules of a container are selected once, from the first of its events.
    rules: dict[tuple[str, str], ContainerPolicy] = {}
    counts: Counter[Effect] = Counter()
    for event, count in events:
        if event.Drift not in (Drift.YES.value, Drift.UNKNOWN.value):
            continue
        key = (event.ClusterName, event.ContainerId)
        if key not in rules:
            rules[key] = rules_for(policy, container_of(event), location_of(event, location or NodeLocation()))
        decision = rules[key].decide(verdict_of(event), process_name=event.FileName, now=now)
        counts[_effect(event, decision)] += count
    effects = [msgspec.structs.replace(effect, count=count) for effect, count in counts.items()]
    effects.sort(key=lambda each: (_ORDER.index(each.outcome), each.workload, -each.count, each.program))
    totals = {name: sum(each.count for each in effects if each.outcome == name) for name in _ORDER}
    return Simulation(
        executions=counts.total(),
        totals=totals,
        effects=tuple(effects),
        protection_lost=sum(each.count for each in effects if each.loses_protection),
    )


def _effect(event: CloudProcessEvent, decision: Decision) -> Effect:
    # An event without an action was not decided by a policy, which has the effect of ignore.
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
    """Return the workload of an event as ``namespace/Kind/name (container)``.

    The pod takes the place of an unknown owner. Without a pod the workload is the container's name, or the
    first 12 digits of its id.
    """
    owner = event.KubernetesResource or event.KubernetesPodName
    where = "/".join(part for part in (event.KubernetesNamespace, owner) if part)
    name = event.ContainerName or event.ContainerId[:12]
    return f"{where} ({name})" if where else name


def path_of(event: CloudProcessEvent) -> str:
    """Return the path of the executed file in the container, in the notation of ``events.text``."""
    return f"{event.FolderPath.rstrip('/')}/{event.FileName}"


def container_of(event: CloudProcessEvent) -> Container:
    """Return the container of an event, with the properties that rules refer to."""
    return Container(
        id=event.ContainerId,
        name=event.ContainerName,
        namespace=event.KubernetesNamespace,
        namespace_labels=event.AdditionalFields.get("NamespaceLabels"),
        pod=event.KubernetesPodName,
        pod_labels={key: str(value) for key, value in event.PodLabels.items()},
        workload=event.KubernetesResource,
        image=event.ContainerImageName,
        image_names=tuple(map(str, event.AdditionalFields.get("ImageNames", ()))),
        image_digest=event.ImageDigest,
    )


# The part of a cluster's resource id that is its cloud account. Formats:
# https://learn.microsoft.com/azure/azure-resource-manager (resource ids),
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html (arn:partition:service:region:account:resource),
# https://cloud.google.com/iam/docs/full-resource-names
_ACCOUNTS = (
    (Provider.AZURE, "AzureResourceId", re.compile("/subscriptions/([^/]+)", re.IGNORECASE)),
    (Provider.AWS, "AwsResourceName", re.compile("arn:[^:]*:[^:]*:[^:]*:([0-9]{12})")),
    (Provider.GCP, "GcpFullResourceName", re.compile("/projects/([^/]+)")),
)


def location_of(event: CloudProcessEvent, fallback: NodeLocation) -> NodeLocation:
    """Return the cluster, node and cloud account of an event; ``fallback`` provides what the event lacks.

    The cloud provider follows from the column that has a resource id, the account from the id itself.
    """
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
    """Return the verdict recorded in an event.

    Raises ``ValueError`` for an event without a verdict, whose drift columns are empty.
    """
    return Verdict(
        subject=Subject(event.DriftSubject),
        origin=Origin(event.DriftOrigin),
        content=Content(event.DriftContent),
        drift=Drift(event.Drift),
        reason=event.DriftReason,
        path=raw(path_of(event)),
        sha256=event.SHA256,
    )
