"""Simulations of a draft policy on stored executions."""

import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given

from driftline import policy
from driftline.events import CloudProcessEvent, Container, Verdict, text
from driftline.policy import NodeLocation, Policy, Simulation, replay
from tests.policy.strategies import NOW, containers, locations, policies, verdicts

EVENT = CloudProcessEvent(
    Timestamp=NOW,
    KubernetesNamespace="shop",
    KubernetesPodName="web-1",
    KubernetesResource="Deployment/web",
    ContainerName="web",
    ContainerId="0123456789abcdef",
    FileName="x",
    FolderPath="/tmp",
    Drift="yes",
    DriftSubject="binary",
    DriftOrigin="writable-layer",
    DriftContent="added",
)
AZURE = "/subscriptions/aaaaaaaa-2222-3333-4444-555555555555/resourceGroups/r/providers/x/managedClusters/c"


def event(**changes: Any) -> CloudProcessEvent:
    return msgspec.structs.replace(EVENT, **changes)


def simulate(draft: str, *events: CloudProcessEvent, location: NodeLocation | None = None) -> Simulation:
    rules = f"rules: [{{name: draft, priority: 1, {draft}}}]"
    return policy.simulate(policy.load(rules, source="p"), events, now=NOW, location=location)


@pytest.mark.parametrize(
    ("before", "action", "outcome"),
    [
        ("", "alert", "alerts"),
        ("ignore", "alert", "alerts"),
        ("alert", "alert", "same"),
        ("block", "alert", "alerts"),
        ("alert", "block", "blocked"),
        ("block", "block", "same"),
        ("alert", "ignore", "silent"),
        ("block", "ignore", "silent"),
        ("ignore", "ignore", "same"),
        ("", "ignore", "same"),
    ],
)
def test_the_outcome_compares_the_draft_with_the_recorded_action(before: str, action: str, outcome: str) -> None:
    (effect,) = simulate(f"action: {action}", event(PolicyAction=before)).effects

    assert effect.outcome == outcome


def test_executions_of_one_program_in_one_workload_are_counted_together() -> None:
    found = simulate("action: alert", *(event(KubernetesPodName=f"web-{n}", ContainerId=f"{n}") for n in range(3)))

    assert found.effects == (
        replay.Effect(
            outcome="alerts",
            workload="shop/Deployment/web (web)",
            program="/tmp/x",
            content="added",
            old_action="",
            old_rule="",
            new_action="alert",
            new_rule="draft",
            count=3,
        ),
    )
    assert (found.executions, found.totals) == (3, {"blocked": 0, "alerts": 3, "silent": 0, "same": 0})


def test_events_without_drift_are_skipped() -> None:
    assert simulate("action: alert", event(Drift="no"), event(Drift="")).executions == 0


def test_an_expired_rule_does_not_apply_to_older_events() -> None:
    early = event(Timestamp=NOW - datetime.timedelta(days=3))

    (effect,) = simulate("action: alert, expires: 2026-11-22T00:00:00Z", early).effects
    assert effect.new_rule == "Default"


@pytest.mark.parametrize(
    ("column", "resource", "provider", "account"),
    [
        ("AzureResourceId", AZURE, "azure", "aaaaaaaa-2222-3333-4444-555555555555"),
        ("AwsResourceName", "arn:aws:eks:eu-west-1:012345678901:cluster/c", "aws", "012345678901"),
        ("GcpFullResourceName", "//container.googleapis.com/projects/my-project/locations/x/clusters/c", "gcp",
            "my-project"),
    ],
)  # fmt: skip
def test_provider_and_account_are_parsed_from_the_resource_id(
    column: str, resource: str, provider: str, account: str
) -> None:
    location = replay.location_of(event(**{column: resource, "ClusterName": "c", "NodeName": "n"}), NodeLocation())

    assert location == NodeLocation(cluster="c", node="n", cloud=provider, account=account, resource=resource)


def test_the_given_location_applies_to_events_without_one() -> None:
    draft = "action: alert, cloudScope: [{provider: aws, accounts: ['012345678901']}]"

    assert simulate(draft, EVENT).totals["alerts"] == 0
    assert simulate(draft, EVENT, location=NodeLocation(cloud="aws", account="012345678901")).totals["alerts"] == 1


@given(policies(), containers(), locations(), verdicts())
def test_a_simulation_decides_as_the_sensor_does(
    random: Policy, container: Container, location: NodeLocation, verdict: Verdict
) -> None:
    folder, _, name = text(verdict.path).rpartition("/")
    row = CloudProcessEvent(
        Timestamp=NOW,
        ContainerImageName=container.image,
        KubernetesNamespace=container.namespace,
        KubernetesPodName=container.pod,
        ContainerName=container.name,
        PodLabels=container.pod_labels,
        FileName=name,
        FolderPath=folder or "/",
        SHA256=verdict.sha256,
        Drift="yes",
        DriftSubject=verdict.subject.value,
        DriftOrigin=verdict.origin.value,
        DriftContent=verdict.content.value,
        ClusterName=location.cluster,
    )
    decided = policy.rules_for(random, container, location).decide(verdict, process_name=name, now=NOW)

    (effect,) = policy.simulate(random, [row], now=NOW, location=location).effects
    assert (effect.new_rule, effect.new_action) == (decided.rule, decided.action.value)
