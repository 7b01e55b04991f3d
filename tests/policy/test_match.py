"""Checks of a rule, one by one."""

from hypothesis import given

from driftline.events import Container, Verdict
from driftline.policy import NodeLocation, Policy, match
from tests.policy.strategies import NOW, policies, verdicts

RULE = Policy.model_validate(
    {
        "rules": [
            {
                "name": "a",
                "priority": 1,
                "action": "alert",
                "cloudScope": [{"provider": "azure"}],
                "resourceScope": [{"field": "podLabel", "label": "app", "operator": "notEquals", "values": ["x"]}],
            }
        ]
    }
).rules[0]


def test_a_check_has_the_expected_and_the_actual_value() -> None:
    facts = match.scope_facts(Container(id="1", pod_labels={"app": "x"}), NodeLocation(cloud="aws", account="1"))

    assert list(match.scope_checks(RULE, facts)) == [
        match.Check(holds=True, name="enabled", expected=True, actual=True),
        match.Check(holds=False, name="cloud", expected=RULE.cloud_scope, actual=("aws", "1")),
        match.Check(holds=False, name="podLabel", expected=RULE.resource_scope[0], actual="x"),
    ]


def test_a_missing_label_compares_as_an_empty_text() -> None:
    facts = match.scope_facts(Container(id="1"), NodeLocation(cloud="azure"))

    assert [check.holds for check in match.scope_checks(RULE, facts)] == [True, True, True]


@given(policies(), verdicts())
def test_the_allowing_entry_is_that_of_the_first_check_that_holds(random: Policy, verdict: Verdict) -> None:
    for rule in random.rules:
        checks = match.allow_checks(rule, verdict, "a")
        expected = next((check.expected for check in checks if check.holds), None)
        assert match.allowing_entry(rule, verdict, "a") == expected


@given(policies(), verdicts())
def test_expires_is_checked_only_for_rules_that_expire(random: Policy, verdict: Verdict) -> None:
    for rule in random.rules:
        names = [check.name for check in match.exec_checks(rule, verdict, NOW)]
        assert names == ["subject", *(["expires"] if rule.expires else [])]
