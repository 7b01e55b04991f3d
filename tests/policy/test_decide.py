"""Decisions: the first matching rule and its action."""

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline import policy
from driftline.events import Action, Container, Content, Drift, Origin, Subject, Verdict
from driftline.policy import Decision, NodeLocation
from driftline.policy.reference import ALLOW

NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
DIGEST = "sha256:" + "cd" * 32
WEB = Container(
    id="1",
    name="web",
    namespace="shop",
    pod="web-1",
    pod_labels={"app": "web"},
    workload="Deployment/web",
    image="shop/web:1",
    image_digest=DIGEST,
)
AZURE = "aaaaaaaa-2222-3333-4444-555555555555"
AWS = NodeLocation(cloud="aws", account="012345678901")


def verdict(**changes: Any) -> Verdict:
    facts: dict[str, Any] = {
        "subject": Subject.BINARY, "origin": Origin.WRITABLE_LAYER, "content": Content.ADDED, "drift": Drift.YES,
        "reason": "", "path": b"/tmp/x", "sha256": "ab" * 32,
    }  # fmt: skip
    return Verdict(**facts | changes)


def decide(rules: str, *, container: Container = WEB, location: NodeLocation | None = None, **changes: Any) -> Decision:
    loaded = policy.load(f"rules:\n{rules}", source="p")
    return policy.rules_for(loaded, container, location or NodeLocation(cluster="c")).decide(
        verdict(**changes), process_name="x", now=NOW
    )


def rule(name: str = "a", priority: int = 1, action: str = "alert", more: str = "") -> str:
    return f"  - {{name: {name}, priority: {priority}, action: {action}{', ' if more else ''}{more}}}\n"


def test_the_default_rule_decides_if_no_rule_matches() -> None:
    assert decide(rule(more="resourceScope: [{field: namespace, values: [other]}]")).rule == "Default"


def test_the_matching_rule_with_the_lowest_priority_number_decides() -> None:
    found = decide(rule("late", 20, "ignore") + rule("early", 10, "block"))

    assert (found.rule, found.action) == ("early", Action.BLOCK)


def test_a_disabled_rule_does_not_match() -> None:
    assert decide(rule(more="enabled: false")).rule == "Default"


@pytest.mark.parametrize(("expires", "decides"), [("2026-11-23T11:59:59Z", "Default"), ("2026-11-23T12:00:01Z", "a")])
def test_a_rule_matches_until_it_expires(expires: str, decides: str) -> None:
    assert decide(rule(more=f"expires: {expires}")).rule == decides


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("field: namespace, values: [shop]", True),
        ("field: namespace, values: [a, shop]", True),
        ("field: namespace, operator: notEquals, values: [a, shop]", False),
        ("field: namespace, operator: notEquals, values: [a, b]", True),
        ("field: imageName, operator: startsWith, values: [shop/]", True),
        ("field: imageName, operator: endsWith, values: [':1']", True),
        ("field: imageName, operator: notEndsWith, values: [':1']", False),
        ("field: podName, operator: contains, values: [eb-]", True),
        ("field: podName, operator: glob, values: ['web-?']", True),
        ("field: podName, operator: notGlob, values: ['web-?']", False),
        ("field: podName, operator: regex, values: ['web-[0-9]+']", True),
        ("field: podName, operator: notRegex, values: ['web-[0-9]+']", False),
        ("field: podLabel, label: app, values: [web]", True),
        ("field: podLabel, label: tier, values: [web]", False),
        (f"field: imageDigest, values: ['{DIGEST}']", True),
        (f"field: imageDigest, values: ['shop/web@{DIGEST}']", True),
        (f"field: imageDigest, values: ['docker.io/shop/web@{DIGEST}']", True),
        (f"field: imageDigest, values: ['shop/other@{DIGEST}']", False),
        ("field: imageDigest, values: ['shop/web:1']", False),
        (f"field: imageDigest, operator: notEquals, values: ['{DIGEST}']", False),
        (f"field: imageDigest, operator: notEquals, values: ['shop/web@{DIGEST}']", False),
        (f"field: imageDigest, operator: notEquals, values: ['shop/other@{DIGEST}']", True),
        ("field: ownerKind, values: [Deployment]", True),
        ("field: ownerName, values: [web]", True),
        ("field: ownerName, values: [Deployment/web]", False),
        ("field: clusterName, values: [c]", True),
        ("field: containerName, values: [Web]", False),
    ],
)
def test_conditions_compare_properties_of_the_container(condition: str, *, holds: bool) -> None:
    assert (decide(rule(more=f"resourceScope: [{{{condition}}}]")).rule == "a") == holds


@pytest.mark.parametrize(
    ("labels", "operator", "holds"),
    [
        ({"env": "prod"}, "equals", True),
        ({"env": "dev"}, "equals", False),
        ({}, "equals", False),
        ({"env": "prod"}, "notEquals", False),
        ({"env": "dev"}, "notEquals", True),
        ({}, "notEquals", True),
        (None, "equals", False),
        (None, "notEquals", False),
    ],
)
def test_a_condition_on_unknown_namespace_labels_never_holds(
    labels: dict[str, str] | None, operator: str, *, holds: bool
) -> None:
    container = Container(id="1", namespace="shop", namespace_labels=labels)
    condition = f"{{field: namespaceLabel, label: env, operator: {operator}, values: [prod]}}"

    assert (decide(rule(more=f"resourceScope: [{condition}]"), container=container).rule == "a") == holds


A_OR_B = Container(id="1", image="a", image_names=("a", "b"))


def for_image(name: str, priority: int, action: str, image: str, more: str = "") -> str:
    scope = f"resourceScope: [{{field: imageName, values: [{image}]}}]"
    return rule(name, priority, action, f"{scope}{', ' if more else ''}{more}")


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (for_image("r", 1, "ignore", "a") + rule("all", 9), ("all", Action.ALERT)),
        (for_image("r", 1, "ignore", "b") + rule("all", 9), ("all", Action.ALERT)),
        (for_image("r", 1, "ignore", "a, b") + rule("all", 9), ("r", Action.IGNORE)),
        (for_image("r", 1, "alert", "a"), ("r", Action.ALERT)),
        (for_image("r", 1, "alert", "b"), ("r", Action.ALERT)),
        (for_image("r", 1, "alert", "b", "allow: [{path: /tmp/x}]") + rule("all", 9), ("all", Action.ALERT)),
        (for_image("r", 1, "block", "b") + rule("all", 9), ("r", Action.BLOCK)),
        (for_image("r", 1, "alert", "a", "severity: Low") + rule("all", 9, "alert", "severity: High"),
            ("all", Action.ALERT)),
        (for_image("r", 1, "ignore", "c") + for_image("s", 2, "alert", "c"), ("Default", Action.IGNORE)),
    ],
)  # fmt: skip
def test_of_the_names_of_an_image_the_strictest_decision_holds(rules: str, expected: tuple[str, Action]) -> None:
    found = decide(rules, container=A_OR_B)

    assert (found.rule, found.action) == expected


def test_a_rule_matches_only_if_all_conditions_hold() -> None:
    scope = "[{field: namespace, values: [shop]}, {field: podName, values: [other]}]"

    assert decide(rule(more=f"resourceScope: {scope}")).rule == "Default"


@pytest.mark.parametrize(
    ("scope", "location", "holds"),
    [
        ("[{provider: azure}]", NodeLocation(cloud="azure", account="new"), True),
        (f"[{{provider: azure, accounts: [{AZURE}]}}]", NodeLocation(cloud="azure", account="new"), False),
        (f"[{{provider: azure, accounts: [{AZURE}]}}]", NodeLocation(cloud="azure", account=AZURE.upper()), True),
        ("[{provider: azure}, {provider: aws, accounts: ['012345678901']}]", AWS, True),
        ("[{provider: on-prem}]", NodeLocation(), True),
        ("[{provider: on-prem}]", NodeLocation(cloud="gcp"), False),
    ],
)
def test_a_cloud_scope_matches_whole_providers_or_listed_accounts(
    scope: str, location: NodeLocation, *, holds: bool
) -> None:
    assert (decide(rule(more=f"cloudScope: {scope}"), location=location).rule == "a") == holds


@pytest.mark.parametrize(
    ("entry", "changes", "allowed"),
    [
        ("name: x", {}, True),
        ("name: y", {}, False),
        ("path: /tmp/x", {}, True),
        ("path: /tmp/*", {}, True),
        ("path: /opt/*", {}, False),
        (f"sha256: {'ab' * 32}", {}, True),
        (f"sha256: {'cd' * 32}", {}, False),
        ("relocated: true", {}, False),
        ("relocated: true", {"content": Content.RELOCATED}, True),
    ],
)
def test_a_process_on_the_allow_list_is_ignored_and_does_not_fall_through(
    entry: str, changes: dict[str, Any], *, allowed: bool
) -> None:
    found = decide(rule("first", 1, "block", f"allow: [{{{entry}}}]") + rule("second", 2), **changes)

    assert found.rule == "first"
    assert found.action == (Action.IGNORE if allowed else Action.BLOCK)


@pytest.mark.parametrize("action", ALLOW)
@pytest.mark.parametrize("later", list(Action))
def test_the_allow_list_applies_for_every_action_and_every_later_rule(action: Action, later: Action) -> None:
    """The section on the allow list in docs/reference/policy.md, for each action of the rule and the next one."""
    found = decide(rule("first", 1, action.value, "allow: [{name: x}]") + rule("second", 2, later.value))

    assert (found.rule, found.action, found.allowed_by) == ("first", Action.IGNORE, "x")


def test_the_effect_of_the_allow_list_is_documented_for_each_action() -> None:
    assert set(ALLOW) == set(Action)


@pytest.mark.parametrize("entry", [f"sha256: {'ab' * 32}", "relocated: true"])
def test_an_unread_file_is_allowed_by_path_and_not_by_content(entry: str) -> None:
    more: dict[str, Any] = {"content": Content.UNVERIFIED, "drift": Drift.UNKNOWN, "sha256": ""}

    assert decide(rule(more=f"allow: [{{{entry}}}]"), **more).action == Action.ALERT
    assert decide(rule(more="allow: [{path: /tmp/x}]"), **more).action == Action.IGNORE


def test_a_rule_matches_only_its_subjects() -> None:
    assert decide(rule(more="subjects: [script]")).rule == "Default"
    assert decide(rule(more="subjects: [script]"), subject=Subject.SCRIPT).rule == "a"


def test_the_default_policy_alerts_on_kube_system() -> None:
    for namespace, action in (("kube-system", Action.ALERT), ("shop", Action.IGNORE)):
        rules = policy.rules_for(policy.DEFAULT, Container(id="1", namespace=namespace), NodeLocation())
        assert rules.decide(verdict(), process_name="x", now=NOW).action == action


NAMESPACES = st.sampled_from(["shop", "dev", "prod"])


@given(
    st.lists(st.tuples(NAMESPACES, st.sampled_from(list(Action)), st.booleans()), max_size=6),
    NAMESPACES,
)
def test_the_first_matching_rule_decides(rules: list[tuple[str, Action, bool]], namespace: str) -> None:
    """Compared with a naive evaluator."""
    text = "".join(
        rule(
            f"r{n}",
            n,
            action,
            f"enabled: {str(enabled).lower()}, resourceScope: [{{field: namespace, values: [{ns}]}}]",
        )
        for n, (ns, action, enabled) in enumerate(rules, 1)
    )
    expected = next((f"r{n}" for n, (ns, _, enabled) in enumerate(rules, 1) if enabled and ns == namespace), "Default")

    assert decide(text or "  []\n", container=Container(id="1", namespace=namespace)).rule == expected


def test_after_a_rule_has_expired_the_next_one_decides() -> None:
    rules = (
        rule("long", 3, more="expires: 2026-11-23T13:00:00Z")
        + rule("short", 1, more="expires: 2026-11-23T11:00:00Z")
        + rule("shorter", 2, more="expires: 2026-11-23T10:00:00Z")
        + rule("stays", 4)
        + rule("never", 5)
    )
    applied = policy.rules_for(policy.load(f"rules:\n{rules}", source="p"), WEB, NodeLocation())

    hours = (9, 10, 11, 12, 13)
    assert [applied.decide(verdict(), process_name="x", now=NOW.replace(hour=hour)).rule for hour in hours] == [
        "short", "short", "long", "long", "stays"
    ]  # fmt: skip


SHOP = "resourceScope: [{field: namespace, values: [shop]}]"


@pytest.mark.parametrize(
    ("action", "more", "decided"),
    [
        ("ignore", "", "ignore"),  # by the default rule
        ("alert", "", "alert"),
        ("block", "", "alert"),
        ("block", "failClosed: true, ", "block"),
    ],
)
def test_a_rule_in_doubt_alerts_and_blocks_only_if_it_fails_closed(action: str, more: str, decided: str) -> None:
    loaded = policy.load(f"rules:\n{rule('a', 1, action, more + SHOP)}", source="p")
    unknown = frozenset((policy.ResourceField.NAMESPACE,))
    found = policy.rules_for(loaded, Container(id="1"), NodeLocation(), unknown=unknown)

    assert found.decide(verdict(), process_name="x", now=NOW).action == decided


def test_a_rule_whose_known_conditions_fail_is_not_in_doubt() -> None:
    image = "resourceScope: [{field: namespace, values: [shop]}, {field: imageName, values: [web]}]"
    loaded = policy.load(f"rules:\n{rule('a', 1, 'alert', image)}", source="p")
    unknown = frozenset((policy.ResourceField.IMAGE_NAME,))
    found = policy.rules_for(loaded, Container(id="1", namespace="dev"), NodeLocation(), unknown=unknown)

    assert found.rules == ()


def test_a_rule_that_surely_ignores_comes_before_one_in_doubt() -> None:
    closed = rule("closed", 2, "block", "failClosed: true, " + SHOP)
    loaded = policy.load(f"rules:\n{rule('sure', 1, 'ignore')}{closed}", source="p")
    found = policy.rules_for(loaded, Container(id="1"), NodeLocation(), unknown=tuple(policy.ResourceField))

    assert found.decide(verdict(), process_name="x", now=NOW).rule == "sure"


@pytest.mark.parametrize("before", ["alert", "block"])
def test_of_rules_in_doubt_the_one_that_fails_closed_decides(before: str) -> None:
    closed = rule("closed", 2, "block", "failClosed: true, " + SHOP)
    loaded = policy.load(f"rules:\n{rule('before', 1, before, SHOP)}{closed}{rule('sure', 3, 'ignore')}", source="p")
    found = policy.rules_for(loaded, Container(id="1"), NodeLocation(), unknown=tuple(policy.ResourceField))

    assert found.decide(verdict(), process_name="x", now=NOW).rule == "closed"
    assert policy.compile_blocking(found, NOW).fail_closed == frozenset(Subject)
