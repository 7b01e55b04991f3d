"""Explanations: the deciding rule, and the failed checks of the rules before it."""

import os

from hypothesis import given

from driftline import policy
from driftline.events import Container, Content, Drift, Origin, Subject, Verdict
from driftline.policy import Explanation, Finding, NodeLocation
from tests.policy.strategies import NOW, containers, locations, policies, verdicts

WEB = Container(id="1", name="web", namespace="shop", pod="web-1", pod_labels={"app": "web"}, image="shop/web:1")
VERDICT = Verdict(
    subject=Subject.BINARY, origin=Origin.TMPFS, content=Content.ADDED, drift=Drift.YES, reason="", path=b"/tmp/x"
)


def explain(rules: str) -> Explanation:
    loaded = policy.load(f"rules:\n{rules}", source="p")
    return policy.explain(loaded, WEB, NodeLocation(cluster="c"), verdict=VERDICT, process_name="x", now=NOW)


def failing(more: str) -> list[Finding]:
    rule, _default = explain(f"  - {{name: a, priority: 1, action: alert, {more}}}").rules
    return [check for check in rule.checks if not check.holds]


def refused(what: str, expected: str, actual: str) -> list[Finding]:
    return [Finding(what=what, expected=expected, actual=actual, holds=False)]


@given(policies(), containers(), locations(), verdicts())
def test_an_explanation_agrees_with_the_decision(
    random: policy.Policy, container: Container, location: NodeLocation, verdict: Verdict
) -> None:
    name = os.path.basename(verdict.path).decode()
    found = policy.explain(random, container, location, verdict=verdict, process_name=name, now=NOW)

    assert found.decision == policy.rules_for(random, container, location).decide(verdict, process_name=name, now=NOW)
    assert found.rules[-1].rule == found.decision.rule
    assert [all(check.holds for check in trace.checks) for trace in found.rules] == [
        *(False for _ in found.rules[:-1]), True
    ]  # fmt: skip


def test_all_rules_up_to_the_deciding_one_are_listed_by_priority() -> None:
    found = explain(
        "  - {name: late, priority: 30, action: block}\n"
        "  - {name: disabled, priority: 10, action: block, enabled: false}\n"
        "  - {name: decides, priority: 20, action: alert}\n"
    )

    assert [(trace.rule, trace.priority, trace.outcome) for trace in found.rules] == [
        ("disabled", 10, "no match"), ("decides", 20, "decides")
    ]  # fmt: skip
    assert found.not_asked == 1


def test_the_default_rule_is_listed_if_no_rule_matches() -> None:
    found = explain("  []")

    assert [(trace.rule, trace.priority, trace.outcome) for trace in found.rules] == [("Default", None, "decides")]


def test_a_disabled_rule_fails_the_check_enabled() -> None:
    assert failing("enabled: false") == refused("enabled", "true", "false")


def test_a_failed_condition_has_operator_and_values() -> None:
    scope = "resourceScope: [{field: namespace, operator: notEquals, values: [dev, shop]}]"

    assert failing(scope) == refused("namespace", "notEquals 'dev' or 'shop'", "'shop'")


def test_a_missing_label_is_distinguished_from_an_empty_one() -> None:
    scope = "resourceScope: [{field: podLabel, label: tier, values: [db]}]"

    assert failing(scope) == refused("podLabel tier", "equals 'db'", "no such label")


def test_every_failed_condition_is_listed() -> None:
    scope = ("namespace, values: [a]", "podName, values: [b]", "clusterName, values: [c]")
    conditions = ", ".join(f"{{field: {each}}}" for each in scope)

    assert [finding.what for finding in failing(f"resourceScope: [{conditions}]")] == ["namespace", "podName"]


def test_a_failed_cloud_scope_has_providers_and_accounts() -> None:
    assert failing("cloudScope: [{provider: azure}]") == refused("cloud", "azure (all)", "on-prem (no account)")


def test_an_uncovered_subject_is_listed() -> None:
    assert failing("subjects: [script, library]") == refused("subject", "script or library", "binary")


def test_an_expired_rule_has_both_times() -> None:
    assert failing("expires: 2026-11-01T00:00:00Z") == refused(
        "expires", "later than now, is 2026-11-01T00:00:00+00:00", "2026-11-23T12:00:00+00:00"
    )


def test_the_allow_list_of_the_deciding_rule_is_listed() -> None:
    (rule,) = explain(
        f"  - {{name: a, priority: 1, action: block, allow: [{{name: y}}, {{path: /tmp/*}}, {{relocated: true}},"
        f" {{sha256: {'ab' * 32}}}]}}"
    ).rules

    assert [(each.holds, each.expected, each.actual) for each in rule.allow] == [
        (False, "name 'y'", "'x'"),
        (True, "path like '/tmp/*'", "'/tmp/x'"),
        (False, "content relocated", "content added"),
        (False, f"sha256 {'ab' * 32}", "not read"),
    ]
