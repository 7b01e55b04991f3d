"""What a rule asks, check by check."""

from hypothesis import given

from driftline.events import Container, Verdict
from driftline.policy import Place, Policy, match
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


def test_a_check_carries_what_was_asked_and_found() -> None:
    facts = match.facts_of(Container(id="1", pod_labels={"app": "x"}), Place(cloud="aws", account="1"))

    assert list(match.scope_checks(RULE, facts)) == [
        match.Check(holds=True, what="enabled", asked=True, found=True),
        match.Check(holds=False, what="cloud", asked=RULE.cloud_scope, found=("aws", "1")),
        match.Check(holds=False, what="podLabel", asked=RULE.resource_scope[0], found="x"),
    ]


def test_a_label_that_is_missing_equals_nothing() -> None:
    facts = match.facts_of(Container(id="1"), Place(cloud="azure"))

    assert [check.holds for check in match.scope_checks(RULE, facts)] == [True, True, True]


@given(policies(), verdicts())
def test_the_allowing_entry_is_the_first_check_that_holds(random: Policy, verdict: Verdict) -> None:
    for rule in random.rules:
        checks = match.allow_checks(rule, verdict, "a")
        expected = next((check.asked for check in checks if check.holds), None)
        assert match.allowing_entry(rule, verdict, "a") == expected


@given(policies(), verdicts())
def test_expiry_is_a_check_only_where_it_is_set(random: Policy, verdict: Verdict) -> None:
    for rule in random.rules:
        asked = [check.what for check in match.exec_checks(rule, verdict, NOW)]
        assert asked == ["subject", *(["expires"] if rule.expires else [])]
