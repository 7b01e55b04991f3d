"""Differences between two policies."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from driftline import policy
from driftline.policy import Difference, FieldChange, Policy
from driftline.policy.diff import Move, RuleChange
from tests.policy.strategies import policies


def load(*rules: str, default: str = "ignore") -> Policy:
    lines = "".join(f"  - {{{rule}}}\n" for rule in rules) or "  []\n"
    return policy.load(f"rules:\n{lines}defaultRule: {{action: {default}}}\n", source="p")


A = "name: a, priority: 1, action: alert"
B = "name: b, priority: 2, action: alert"


def order(names: str) -> Policy:
    return load(*(f"name: {name}, priority: {number}, action: alert" for number, name in enumerate(names, 1)))


@given(policies())
def test_a_policy_has_no_differences_from_itself(random: Policy) -> None:
    assert policy.diff(random, random) == Difference()


def test_an_added_rule_is_reported_with_its_fields() -> None:
    fields = (FieldChange(field="priority", new=2), FieldChange(field="action", new="alert"))

    assert policy.diff(load(A), load(A, B)) == Difference(rules=(RuleChange(rule="b", kind="added", fields=fields),))


def test_a_removed_rule_is_reported_with_its_fields() -> None:
    fields = (FieldChange(field="priority", old=2), FieldChange(field="action", old="alert"))

    assert policy.diff(load(A, B), load(A)) == Difference(rules=(RuleChange(rule="b", kind="removed", fields=fields),))


def test_a_changed_rule_is_reported_field_by_field() -> None:
    old = load(f"{A}, allow: [{{name: x}}, {{name: y}}]")
    new = load("name: a, priority: 1, action: block, allow: [{name: y}, {path: /z}], subjects: [script]")

    (change,) = policy.diff(old, new).rules
    assert (change.kind, change.fields) == (
        "changed",
        (
            FieldChange(field="action", old="alert", new="block"),
            FieldChange(field="subjects", old="binary"),
            FieldChange(field="subjects", old="library"),
            FieldChange(field="subjects", old="loader"),
            FieldChange(field="allow", old={"name": "x"}),
            FieldChange(field="allow", new={"path": "/z"}),
        ),
    )


def test_the_default_rule_is_reported_under_its_name() -> None:
    fields = (FieldChange(field="action", old="ignore", new="block"),)

    assert policy.diff(load(), load(default="block")).rules == (
        RuleChange(rule="Default", kind="changed", fields=fields),
    )


def test_a_changed_priority_in_the_same_order_is_not_a_move() -> None:
    found = policy.diff(load(A, B), load(A, "name: b, priority: 7, action: alert"))

    assert found.moved == ()
    assert [change.rule for change in found.rules] == ["b"]


def test_moving_the_last_rule_to_the_front_is_one_move() -> None:
    assert policy.diff(order("abcd"), order("dabc")).moved == (Move(rule="d", old=4, new=1),)


@given(st.permutations("abcde"))
def test_the_number_of_moves_is_minimal(names: list[str]) -> None:
    """Compared with all subsets: the largest one that keeps its order did not move."""
    stays = max(
        len(subset) for size in range(6) for subset in combinations(names, size) if list(subset) == sorted(subset)
    )

    assert len(policy.diff(order("abcde"), order("".join(names))).moved) == 5 - stays
