"""Validation of policies that are made in code."""

from typing import Any

import pydantic
import pytest

from driftline.events import Action
from driftline.policy.model import (
    DEFAULT,
    CloudScope,
    Condition,
    Operator,
    Policy,
    Provider,
    ResourceField,
    Rule,
    duplicates,
)


def rule(number: int = 1, **more: Any) -> Rule:
    facts: dict[str, Any] = {"name": f"r{number}", "priority": number, "action": Action.ALERT}
    return Rule(**facts | more)


def test_the_built_in_policy_survives_a_round_trip() -> None:
    written = DEFAULT.model_dump(mode="json", by_alias=True)

    assert Policy.model_validate(written, by_alias=True, by_name=False) == DEFAULT


@pytest.mark.parametrize(
    "rules",
    [
        (rule(1), rule(2, name="r1")),
        (rule(1), rule(2, priority=1)),
        tuple(rule(number) for number in range(1, 1002)),
    ],
)
def test_duplicates_and_too_many_rules_are_refused(rules: tuple[Rule, ...]) -> None:
    with pytest.raises(pydantic.ValidationError):
        Policy(rules=rules)


def test_a_rule_with_conflicting_accounts_is_refused() -> None:
    scopes = (CloudScope(provider=Provider.AWS), CloudScope(provider=Provider.AWS, accounts=("012345678901",)))

    with pytest.raises(pydantic.ValidationError, match="the whole of aws"):
        rule(cloud_scope=scopes)


def test_more_than_a_thousand_regular_expressions_are_refused() -> None:
    many = Condition(field=ResourceField.POD_NAME, operator=Operator.REGEX, values=("a",) * 200)
    full = tuple(rule(number, resource_scope=(many,)) for number in range(1, 6))
    one = Condition(field=ResourceField.POD_NAME, operator=Operator.NOT_REGEX, values=("a",))

    assert Policy(rules=full).rules == full
    with pytest.raises(pydantic.ValidationError, match=r"rules\.5\.resourceScope\n *expected at most 1000"):
        Policy(rules=(*full, rule(6, resource_scope=(one,))))


def test_a_duplicate_is_reported_with_the_first_rule_that_has_the_value() -> None:
    assert list(duplicates([("a", 1), ("b", 2), ("a", 2)])) == [
        (("rules", 2, "name"), "rules.0 has the name 'a' already"),
        (("rules", 2, "priority"), "rules.1 has the priority 2 already"),
    ]
